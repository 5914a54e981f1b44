/** A random id for an element, because a document may hold several widgets. */
export const elementId = () => `aw-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
