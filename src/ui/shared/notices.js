/** What went wrong, what went well, and "are you sure?". */
import { h } from './dom.js'

/** An error in the page; `action` ({label, run}) is an offer to do something about it. */
export function problem(message, action) {
  const card = h(
    'div',
    { className: 'problem' },
    h('span', {}, message),
    action
      ? h('button', { type: 'button', onclick: () => (card.remove(), action.run()) }, action.label)
      : null,
    h('button', { type: 'button', ariaLabel: 'Dismiss', onclick: () => card.remove() }, '✕'),
  )
  return card
}

/** A line that says what was done; `link` ({href, label}) leads on. */
export function done(message, link) {
  return h(
    'p',
    { className: 'done', role: 'status' },
    message,
    link ? ' ' : null,
    link ? h('a', { href: link.href }, link.label) : null,
  )
}

/** A place for errors of what stands beside it; `run` shows what the work throws and clears it before. */
export function createTrouble() {
  const element = h('div', { className: 'trouble', role: 'alert' })
  return {
    element,
    show: (error) => element.replaceChildren(problem(error.message ?? 'Something went wrong.')),
    async run(work) {
      element.replaceChildren()
      try {
        return await work()
      } catch (error) {
        this.show(error)
        return undefined
      }
    },
  }
}

/** Resolves with whether the visitor agrees. */
export function confirm({ title, text, action }) {
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', { id: 'confirm-title' }, title),
    h('p', {}, text),
    h(
      'div',
      { className: 'actions' },
      h('button', { type: 'submit', className: 'danger', value: 'yes' }, action),
      h('button', { type: 'submit', className: 'quiet', value: 'no', autofocus: true }, 'Cancel'),
    ),
  )
  const dialog = h('dialog', { className: 'dialog', 'aria-labelledby': 'confirm-title' }, form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
  })
}

/** A button that runs `work` and cannot be pressed again meanwhile; errors go to `trouble`. */
export function actionButton(label, work, { trouble, className = 'quiet' }) {
  const button = h(
    'button',
    {
      type: 'button',
      className,
      onclick: async () => {
        button.disabled = true
        await trouble.run(work)
        button.disabled = false
      },
    },
    ...[label].flat(),
  )
  return button
}
