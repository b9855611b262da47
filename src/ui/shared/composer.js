/** The message box: Enter sends, Shift+Enter breaks the line; while a reply is written its button stops it. */
import { h, icon } from './dom.js'

export function createComposer({ onSend, onStop, label = 'Your message', stopLabel = 'Stop' }) {
  const message = h('textarea', {
    rows: 1,
    maxLength: 4000,
    placeholder: 'Say something…',
    ariaLabel: label,
    autocomplete: 'off',
    enterKeyHint: 'send',
  })
  const button = h('button', { type: 'submit', className: 'send' })
  const element = h('form', { className: 'composer' }, message, button)
  let isBusy = false

  const fit = () => {
    message.style.height = 'auto'
    // Before it stands in the page it has no height.
    if (message.scrollHeight > 0) message.style.height = `${message.scrollHeight}px`
    button.disabled = !isBusy && message.value.trim() === ''
  }
  const send = () => {
    const text = message.value.trim()
    if (isBusy || text === '') return
    message.value = ''
    fit()
    onSend(text)
  }
  const setBusy = (busy) => {
    isBusy = busy
    button.replaceChildren(icon(busy ? 'stop' : 'send'))
    button.ariaLabel = busy ? stopLabel : 'Send'
    fit()
  }

  element.addEventListener('submit', (event) => {
    event.preventDefault()
    if (isBusy) onStop()
    else send()
  })
  message.addEventListener('input', fit)
  message.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  })
  setBusy(false)
  return { element, setBusy, focus: () => message.focus() }
}

export function composerHint(...more) {
  const key = (name) => h('kbd', {}, name)
  return h('p', { className: 'hint' }, key('Enter'), ' sends, ', key('Shift'), '+', key('Enter'), ' breaks the line, ', key('Esc'), ' stops. ', ...more) // prettier-ignore
}
