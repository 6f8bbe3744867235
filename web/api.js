// Requests to the server, with the key where one is needed.

const STORED = "tapedeck.key";

/** The key that was entered, for as long as the tab is open; empty if there is none. */
export const key = {
  get: () => sessionStorage.getItem(STORED) ?? "",
  set: (text) => sessionStorage.setItem(STORED, text),
  forget: () => sessionStorage.removeItem(STORED),
};

/** The server refused a request, or does not answer. */
export class ApiError extends Error {
  /**
   * @param status of HTTP; 0 when there is no answer
   * @param retryAfter seconds, as the server wishes; 0 if it says nothing
   */
  constructor(status, message, { code = "", retryAfter = 0, withKey = false } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.withKey = withKey;
  }

  /** Whether a key, or another one, would help. */
  get needsKey() {
    return this.status === 401 || (this.status === 403 && this.code !== "no_operator_key");
  }

  /** Whether the same request can succeed later. */
  get passes() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** A request that succeeds, or throws an {@link ApiError}. */
export async function request(path, { authorization, headers = {}, ...options } = {}) {
  const bearer = authorization ?? key.get();
  const all = bearer ? { ...headers, Authorization: `Bearer ${bearer}` } : headers;
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.");
  }
  if (!response.ok) throw await refusal(response, Boolean(bearer));
  return response;
}

/** The JSON of `GET path`. */
export async function get(path, options) {
  return (await request(path, options)).json();
}

/** The JSON that answers a JSON body. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await request(path, { method: "POST", headers, body: JSON.stringify(body) });
  return response.json();
}

async function refusal(response, withKey) {
  const text = await response.text().catch(() => "");
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  const { status } = response;
  const known = body?.errorMessage ?? body?.error?.message ?? body?.detail ?? body?.title;
  const hint = body?.error?.hint ? ` (${body.error.hint})` : "";
  const message =
    status === 401 && withKey
      ? "The server does not accept this key."
      : known
        ? `${known}${hint}`
        : `The server answered ${status} ${response.statusText}`.trim();
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  return new ApiError(status, message, { code: body?.error?.code, retryAfter, withKey });
}
