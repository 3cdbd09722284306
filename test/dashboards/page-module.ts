/**
 * A module of the page. They are plain JavaScript, checked by a compiler run of their own (page-files.test.ts), so
 * the importer says which part of it is used.
 */
export async function pageModule<T>(name: string): Promise<T> {
  return (await import(new URL(`../../dashboards/page/${name}`, import.meta.url).href)) as T;
}
