/** Gives a file to the browser's downloads. */
export function saveAs(url: string, name: string): void {
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
}
