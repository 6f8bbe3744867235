// Small helpers around the document.

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/** A new element: properties, then children (nodes or texts; nothing for null). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Sets a text only when it changed, so that screen readers and selections are left in peace. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Shows or hides. */
export function show(target, visible) {
  target.hidden = !visible;
}

/**
 * Makes the children of `list` those of `items`, in their order. What is there already stays the
 * same element, and does not even move when its place is right: a video goes on playing.
 *
 * @param make of an item: its element
 * @param update of an element and its item
 */
export function reconcile(list, items, identify, make, update) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const identity = identify(item);
    let child = before.get(identity);
    before.delete(identity);
    if (!child) {
      child = make(item);
      child.dataset.key = identity;
    }
    update(child, item);
    while (place && place !== child && !isWanted(place, items, identify)) {
      const gone = place;
      place = place.nextElementSibling;
      gone.remove();
    }
    if (place === child) place = child.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const child of before.values()) child.remove();
}

const isWanted = (child, items, identify) =>
  items.some((item) => identify(item) === child.dataset.key);

/**
 * Lets a form ask for the key.
 *
 * @param onKey called when one was entered
 * @returns what shows the form with a text, or hides it when there is none
 */
export function keyForm(form, store, onKey) {
  const field = form.querySelector("input");
  const reason = form.querySelector("[data-reason]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    store.set(field.value.trim());
    field.value = "";
    form.hidden = true;
    onKey();
  });
  return (text) => {
    if (text) say(reason, text);
    if (text && form.hidden) {
      form.hidden = false;
      field.focus();
    }
    if (!text) form.hidden = true;
  };
}
