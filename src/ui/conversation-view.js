/** Shows turns: bubbles, the bars of requested against achieved values, the welcome, problems. */
import { byId, face, h, hueOf, icon } from './dom.js'

const turns = byId('turns')

/** Before the first word: who is there, and what one could ask. */
export function showWelcome(character, ask) {
  const chips = character.questions.map((question) =>
    h('button', { type: 'button', className: 'chip', onclick: () => ask(question) }, question),
  )
  const card = h(
    'div',
    { className: 'welcome' },
    face(character.icon, character.hue),
    h('h3', {}, character.name),
    h('p', {}, character.system || 'No system message: whoever the model makes up.'),
    h('div', { className: 'chips' }, ...chips),
  )
  turns.replaceChildren(card)
}

export function addPlayerTurn(text) {
  turns.querySelector('.welcome')?.remove()
  const turn = h(
    'article',
    { className: 'turn player', ariaLabel: 'You' },
    face('player', 0),
    h('div', { className: 'said' }, h('div', { className: 'bubble' }, text)),
  )
  turns.append(turn)
  scrollToEnd()
  return turn
}

/** An empty reply that fills while it is written. */
export function addReplyTurn(character) {
  const bubble = h('div', { className: 'bubble', ariaBusy: 'true' })
  const foot = h('div', { className: 'foot' })
  const turn = h(
    'article',
    { className: 'turn writing', ariaLabel: character.name },
    face(character.icon, character.hue),
    h('div', { className: 'said' }, bubble, foot),
  )
  turns.append(turn)
  scrollToEnd()
  return {
    element: turn,
    append(text) {
      const follows = isAtEnd()
      bubble.append(text)
      if (follows) scrollToEnd()
    },
    /** `report` is the `done` message. */
    finish(report, specs) {
      const follows = isAtEnd()
      turn.classList.remove('writing')
      bubble.ariaBusy = 'false'
      foot.replaceChildren(...notes(report))
      if (specs.length > 0) turn.append(bars(report, specs))
      if (follows) scrollToEnd()
    },
    /** Puts "say it again" under this reply and under no other. */
    offerAgain(again) {
      for (const other of turns.querySelectorAll('.foot button')) other.remove()
      foot.append(h('button', { type: 'button', onclick: again }, icon('again'), 'Say it again'))
    },
  }
}

function notes(report) {
  const reasons = { length: 'ran out of room', cancelled: 'stopped' }
  const reason = reasons[report.finish_reason]
  const tokens = report.usage && `${report.usage.completion_tokens} tokens`
  return [reason, tokens].filter(Boolean).map((text) => h('span', {}, text))
}

/** A table, so that it can be read without seeing it. */
function bars({ requested, achieved }, specs) {
  const rows = specs.map((spec, index) => {
    const wanted = requested[spec.name]
    const got = achieved?.[spec.name]
    const share = (value) => {
      const inside = Math.min(spec.max, Math.max(spec.min, value))
      return `${((inside - spec.min) / (spec.max - spec.min)) * 100}%`
    }
    const bar = (className, value) => {
      const element = h('span', { className })
      element.style.width = share(value)
      return element
    }
    const pair = h(
      'div',
      { className: 'pair', '--hue': String(hueOf(spec.name, index)), ariaHidden: 'true' },
      bar('wanted', wanted ?? spec.min),
      got === undefined ? null : bar('got', got),
    )
    const numbers = `${round(wanted)} → ${round(got)}`
    const title = `${spec.name}: asked for ${round(wanted)}, measured ${got === undefined ? 'not at all' : round(got)}`
    return h(
      'tr',
      { title },
      h('th', { scope: 'row' }, spec.name),
      h('td', {}, pair),
      h('td', { className: 'numbers' }, numbers),
    )
  })
  const caption = h('caption', { className: 'hidden' }, 'Requested and measured attributes')
  return h('table', { className: 'bars' }, caption, h('tbody', {}, ...rows))
}

function round(value) {
  if (value === undefined) return '–'
  return String(Math.round(value * 10) / 10).replace('-', '−')
}

function isAtEnd() {
  return turns.scrollHeight - turns.scrollTop - turns.clientHeight < 80
}

function scrollToEnd() {
  turns.scrollTop = turns.scrollHeight
}

/** Shows an error in the page; `action` is an offer to do something about it. */
export function showProblem(message, action) {
  const dismiss = () => card.remove()
  const run = () => {
    dismiss()
    action.run()
  }
  const card = h(
    'div',
    { className: 'problem' },
    h('span', {}, message),
    action ? h('button', { type: 'button', onclick: run }, action.label) : null,
    h('button', { type: 'button', ariaLabel: 'Dismiss', onclick: dismiss }, '✕'),
  )
  byId('problems').replaceChildren(card)
}

export function clearProblems() {
  byId('problems').replaceChildren()
}
