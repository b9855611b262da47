/** The API key: asked for when the server wants one, kept until the tab closes, sent with everything. */
import { h } from './dom.js'

const place = 'steerlm-key'
let asking

export const storedKey = () => sessionStorage.getItem(place)

/** Headers for fetch and XMLHttpRequest. */
export function keyHeaders() {
  const key = storedKey()
  return key ? { authorization: `Bearer ${key}` } : {}
}

/**
 * Browsers cannot send headers with a WebSocket; a subprotocol carries the key and stays out of logs. The first is for
 * the server to answer with.
 */
export function keyProtocols() {
  const key = storedKey()
  return key ? ['steerlm', `steerlm.key.${key}`] : []
}

/** Shows the dialog; true once there is another key. Several askers share one dialog. */
export function askForKey(message) {
  asking ??= showDialog(message).finally(() => {
    asking = undefined
  })
  return asking
}

function showDialog(message) {
  const input = h('input', {
    type: 'password',
    id: 'api-key',
    required: true,
    autocomplete: 'off',
    spellcheck: false,
    // What a header and a subprotocol can carry.
    pattern: '[\\w.~\\-]+',
    title: 'Letters, digits, - . _ ~',
    placeholder: 'sk-steer-…',
  })
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', { id: 'key-title' }, 'This server asks for a key'),
    h('p', {}, message),
    h('label', { htmlFor: 'api-key' }, 'API key'),
    input,
    h('p', { className: 'soft' }, 'Kept in this tab only, and gone when the tab closes.'),
    h(
      'div',
      { className: 'actions' },
      h('button', { type: 'submit', className: 'primary', value: 'use' }, 'Use this key'),
      h('button', { type: 'button', className: 'quiet', onclick: () => dialog.close() }, 'Cancel'),
    ),
  )
  const dialog = h('dialog', { className: 'dialog', 'aria-labelledby': 'key-title' }, form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const isGiven = dialog.returnValue === 'use'
      if (isGiven) sessionStorage.setItem(place, input.value.trim())
      dialog.remove()
      document.dispatchEvent(new Event('steerlm-key'))
      resolve(isGiven)
    })
  })
}
