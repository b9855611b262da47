/** The log of a job: the last lines, following the end unless the reader scrolled back. */
import { h } from '../shared/dom.js'

const maxLines = 1000

export function createJobLog() {
  const text = h('pre', { className: 'log', tabIndex: 0, role: 'log', ariaLive: 'off', ariaLabel: 'Log' }) // prettier-ignore
  const element = h('section', { className: 'card', hidden: true }, h('h3', {}, 'Log'), text)
  return {
    element,
    add(line) {
      const follows = text.scrollHeight - text.scrollTop - text.clientHeight < 40
      element.hidden = false
      text.append(`${line}\n`)
      while (text.childNodes.length > maxLines) text.firstChild.remove()
      if (follows) text.scrollTop = text.scrollHeight
    },
    clear() {
      text.replaceChildren()
      element.hidden = true
    },
  }
}
