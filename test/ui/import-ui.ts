/** A module of the page. They are plain JavaScript for browsers; these tests take those parts that need no document. */
export const importUi = (path: string) =>
  import(new URL(`../../src/ui/${path}`, import.meta.url).href)
