// The token that changing something needs. Typed by a person, kept for this tab, shown nowhere.

import { token } from './api.js';
import { byId } from './element.js';

/** @param {() => void} onChanged @returns {() => void} opens the dialog */
export function tokenDialog(onChanged) {
  const dialog = byId('token-dialog', HTMLDialogElement);
  const form = byId('token-form', HTMLFormElement);
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem('token'));
  const button = byId('token-button', HTMLButtonElement);
  const open = () => {
    if (dialog.open) return;
    input.value = '';
    dialog.showModal();
  };
  const label = () => {
    button.textContent = token.read() === '' ? 'Token' : 'Token set';
  };
  button.addEventListener('click', open);
  dialog.addEventListener('close', () => {
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
