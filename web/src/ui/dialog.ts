/** Opens a dialog over the page. The browser keeps the focus within; its end gives the focus back. */
export function shown(element: HTMLDialogElement): () => void {
  const before = document.activeElement;
  element.showModal();
  return () => {
    element.close();
    if (before instanceof HTMLElement) before.focus();
  };
}
