// Firebase's storage emulator as its tools bring it, without what it would fetch over the network:
// access rules are not evaluated, everybody may do everything.
//
// node emulator.js FOLDER_OF_NODE_MODULES PORT
const [modules, port] = process.argv.slice(2);
const emulator = `${modules}/firebase-tools/lib/emulator`;
const { EmulatorRegistry } = require(`${emulator}/registry.js`);
const { createApp } = require(`${emulator}/storage/server.js`);
const { StorageLayer } = require(`${emulator}/storage/files.js`);
const { Persistence } = require(`${emulator}/storage/persistence.js`);
const { UploadService } = require(`${emulator}/storage/upload.js`);

EmulatorRegistry.getInfo = () => ({ host: "127.0.0.1", port: Number(port) });

const persistence = new Persistence(`${process.cwd()}/blobs`);
const everybody = { validate: async () => true };
const administrator = { validate: () => true };
const functions = { dispatch: () => {} };
const layer = new StorageLayer(
  "demo", new Map(), new Map(), everybody, administrator, persistence, functions);

createApp("demo", {
  storageLayer: layer,
  adminStorageLayer: layer,
  uploadService: new UploadService(persistence),
  rulesManager: { getRuleset: () => ({}) },
}).then((app) => app.listen(Number(port), "127.0.0.1"));

// Whoever started it has ended.
process.stdin.on("end", () => process.exit(0)).resume();
