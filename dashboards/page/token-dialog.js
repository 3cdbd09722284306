// The token that changing something needs. Typed by a person, kept for this tab, shown nowhere.

import { token } from './api.js';
import { byIdAs } from './element.js';

/**
 * @param {() => void} onChanged
 * @returns {(isNeeded: boolean) => void} opens the dialog; one that was put aside comes back only when it is needed
 *   for something that the person just asked for
 */
export function tokenDialog(onChanged) {
  const dialog = byIdAs('token-dialog', HTMLDialogElement);
  const form = byIdAs('token-form', HTMLFormElement);
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem('token'));
  const button = byIdAs('token-button', HTMLButtonElement);
  let isAside = false;
  const open = (/** @type {boolean} */ isNeeded) => {
    if (dialog.open || (isAside && !isNeeded)) return;
    input.value = '';
    dialog.returnValue = '';
    dialog.showModal();
  };
  const label = () => {
    button.textContent = token.read() === '' ? 'Token' : 'Token set';
  };
  button.addEventListener('click', () => open(true));
  dialog.addEventListener('close', () => {
    isAside = dialog.returnValue !== 'keep';
    if (dialog.returnValue === 'keep' && input.value.trim() !== '') token.keep(input.value.trim());
    else if (dialog.returnValue === 'forget') token.keep('');
    else return;
    input.value = '';
    label();
    onChanged();
  });
  label();
  return open;
}
