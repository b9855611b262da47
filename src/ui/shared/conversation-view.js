/** Shows turns: bubbles that fill, notes below them, the bars of requested against achieved values. */
import { face, h, hueOf, icon } from './dom.js'
import { figure } from './format.js'

/** `turns`: the element with role log. */
export class ConversationView {
  #turns

  constructor(turns) {
    this.#turns = turns
  }

  /** Puts `content`, such as a welcome, in place of all turns; the first turn takes it away. */
  showFirst(content) {
    content.classList.add('before-first')
    this.#turns.replaceChildren(content)
  }

  addPlayerTurn(text) {
    this.#add('turn player', 'You', face('player', 0), h('div', { className: 'bubble' }, text))
  }

  /** An event or another remark after the last turn, or before a reply that is under way. */
  addRemark(content, { before } = {}) {
    const remark = this.#place(h('p', { className: 'remark' }, ...content))
    before?.element.before(remark)
  }

  /** An empty reply that fills while it is written. */
  addReplyTurn(name, portrait) {
    const bubble = h('div', { className: 'bubble', ariaBusy: 'true' })
    const foot = h('div', { className: 'foot' })
    const element = this.#add('turn writing', name, portrait, bubble, foot)
    return {
      element,
      get text() {
        return bubble.textContent
      },
      append: (text) => this.#keepEnd(() => bubble.append(text)),
      /** Ends the reply: `notes` are nodes or texts below it, `values` what `valueBars` takes. */
      finish: ({ notes = [], values, specs = [] }) =>
        this.#keepEnd(() => {
          element.classList.remove('writing')
          bubble.ariaBusy = 'false'
          foot.replaceChildren(...notes.map((note) => h('span', {}, note)))
          if (values && specs.length > 0) element.append(valueBars(values, specs))
        }),
      /** Shortens the reply to what was heard. */
      setText: (text) => bubble.replaceChildren(text),
      /** Puts "say it again" under this reply and under no other. */
      offerAgain: (again) => {
        for (const other of this.#turns.querySelectorAll('.foot button')) other.remove()
        foot.append(h('button', { type: 'button', onclick: again }, icon('again'), 'Say it again'))
      },
    }
  }

  #add(className, label, portrait, ...said) {
    const content = h('div', { className: 'said' }, ...said)
    return this.#place(h('article', { className, ariaLabel: label }, portrait, content))
  }

  #place(element) {
    this.#turns.querySelector('.before-first')?.remove()
    this.#turns.append(element)
    this.#turns.scrollTop = this.#turns.scrollHeight
    return element
  }

  /** Follows the text only where the reader has not scrolled back. */
  #keepEnd(change) {
    const turns = this.#turns
    const follows = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 80
    change()
    if (follows) turns.scrollTop = turns.scrollHeight
  }
}

/** Why a reply ended, where that is worth a word, and its length. */
export function replyNotes({ finish_reason: reason, usage }) {
  const reasons = { length: 'ran out of room', cancelled: 'stopped', interrupted: 'interrupted' }
  return [reasons[reason], usage && `${usage.completion_tokens} tokens`].filter(Boolean)
}

/** Requested against achieved as a table, so that it can be read without seeing it. */
function valueBars({ requested, achieved }, specs) {
  const rows = specs.map((spec, index) => {
    const wanted = requested[spec.name]
    const got = achieved?.[spec.name]
    const pair = h(
      'div',
      { className: 'pair', '--hue': String(hueOf(spec.name, index)), ariaHidden: 'true' },
      bar('wanted', wanted ?? spec.min, spec),
      got === undefined ? null : bar('got', got, spec),
    )
    const title = `${spec.name}: asked for ${figure(wanted)}, measured ${got === undefined ? 'not at all' : figure(got)}`
    return h(
      'tr',
      { title },
      h('th', { scope: 'row' }, spec.name),
      h('td', {}, pair),
      h('td', { className: 'numbers' }, `${tenths(wanted)} → ${tenths(got)}`),
    )
  })
  const caption = h('caption', { className: 'hidden' }, 'Requested and measured attributes')
  return h('table', { className: 'bars' }, caption, h('tbody', {}, ...rows))
}

function bar(className, value, { min, max }) {
  const share = (Math.min(max, Math.max(min, value)) - min) / (max - min)
  return h('span', { className, '--share': `${share * 100}%` })
}

const tenths = (value) => figure(value === undefined ? value : Math.round(value * 10) / 10)
