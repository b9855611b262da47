/** The conversation with a character: lines as they are written, actions they come with, barge-in, events. */
import { getJson } from '../shared/api.js'
import { ConversationView, replyNotes } from '../shared/conversation-view.js'
import { composerHint, createComposer } from '../shared/composer.js'
import { h, icon } from '../shared/dom.js'
import { figure } from '../shared/format.js'
import { createTrouble } from '../shared/notices.js'
import { stream } from '../shared/stream-client.js'
import { eventTitle } from './events.js'
import { portrait } from './portrait.js'

/** `onState(state)` hears what each line and event made of the character. */
export function createTalk({ npc, specs, onState, signal }) {
  const { id, name } = npc
  const turns = h('div', { className: 'turns', role: 'log', ariaLive: 'polite', tabIndex: 0 })
  turns.setAttribute('aria-relevant', 'additions')
  const view = new ConversationView(turns)
  const trouble = createTrouble()
  let writing

  const composer = createComposer({
    label: `Say something to ${name}`,
    stopLabel: 'Interrupt',
    onSend: (text) => trouble.run(() => say(text)),
    onStop: interrupt,
  })

  async function say(message) {
    view.addPlayerTurn(message)
    const turn = view.addReplyTurn(name, portrait(name))
    const onMessage = (event) => {
      if (event.type === 'npc_delta') turn.append(event.text)
      else if (event.type === 'npc_started') showEvents(event.events, turn)
    }
    const line = stream.open({ type: 'npc_say', npc: id, message }, { last: 'npc_done', onMessage })
    writing = { line, turn }
    composer.setBusy(true)
    try {
      const end = await line.result
      turn.setText(end.line)
      turn.finish({ notes: [...replyNotes(end), ...end.actions.map(actionChip)], values: valuesOf(end), specs }) // prettier-ignore
      onState(end.state)
    } catch (error) {
      turn.element.remove()
      if (error.code !== 'cancelled') throw error
    } finally {
      writing = undefined
      composer.setBusy(false)
    }
  }

  /** Barge-in: the character stops, and remembers what stands on the screen as what was heard. */
  function interrupt() {
    if (!writing) return
    writing.line.send({ type: 'npc_interrupt', heard: writing.turn.text.length })
  }

  function showEvents(events, before) {
    for (const event of events) view.addRemark([icon('bolt'), `noticed: ${eventTitle(event)}`], { before }) // prettier-ignore
  }

  const onKey = (event) => event.key === 'Escape' && interrupt()
  addEventListener('keydown', onKey, { signal })
  signal.addEventListener('abort', interrupt)

  return {
    element: h('section', { className: 'talk', ariaLabel: `Conversation with ${name}` }, turns, trouble.element, composer.element, composerHint('The character remembers what was heard.')), // prettier-ignore
    /** The exchanges so far. */
    async showPast() {
      const { data } = await getJson(`/v1/npcs/${encodeURIComponent(id)}/exchanges?limit=50`)
      if (data.length === 0) return view.showFirst(welcome(npc))
      for (const exchange of data.toSorted((a, b) => a.exchange - b.exchange))
        showExchange(exchange)
    },
    async raise(event) {
      const { state } = await stream.open({ type: 'npc_event', npc: id, event }, { last: 'npc_state' }).result // prettier-ignore
      const data = Object.entries(event.data ?? {}).map(([key, value]) => `${key} ${figure(value)}`)
      const numbers = data.length > 0 ? ` (${data.join(', ')})` : ''
      view.addRemark([icon('bolt'), `${eventTitle(event.type)}${numbers}`])
      onState(state)
    },
  }

  function showExchange({ message, line, attributes, events, actions, interrupted }) {
    view.addPlayerTurn(message)
    showEvents(events)
    const turn = view.addReplyTurn(name, portrait(name))
    turn.setText(line)
    const notes = [interrupted && 'interrupted', ...actions.map(actionChip)].filter(Boolean)
    turn.finish({ notes, values: { requested: attributes }, specs })
  }
}

const valuesOf = ({ attributes, achieved }) => ({ requested: attributes, achieved })

function welcome({ name, definition }) {
  return h(
    'div',
    { className: 'welcome' },
    portrait(name),
    h('h3', {}, name),
    h('p', {}, definition.persona),
    h('p', { className: 'soft' }, 'Say something, or let something happen.'),
  )
}

/** `give_item {item: bread, count: 1}` → `give item: bread, 1`. */
function actionChip({ type, args }) {
  const values = Object.values(args ?? {}).join(', ')
  return h('span', { className: 'action' }, icon('bolt'), `${type.replaceAll('_', ' ')}${values && `: ${values}`}`) // prettier-ignore
}
