/** What opened the first of several dialogs, each of which leads to the next one. */
let opener: HTMLElement | undefined;

/** Opens a dialog over the page. The browser keeps the focus within; its end gives the focus back. */
export function shown(element: HTMLDialogElement): () => void {
  const before = document.activeElement;
  if (before instanceof HTMLElement && before !== document.body && before.closest("dialog") === null) opener = before;
  element.showModal();
  return () => {
    element.close();
    if (opener?.isConnected) opener.focus();
  };
}
