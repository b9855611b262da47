/** Chat: joins people, sliders, conversation and the stream. Stays when another view is shown, talk and all. */
import { getJson } from '../shared/api.js'
import { ConversationView, replyNotes } from '../shared/conversation-view.js'
import { composerHint, createComposer } from '../shared/composer.js'
import { byId, face, h } from '../shared/dom.js'
import { pause } from '../shared/follow-events.js'
import { problem } from '../shared/notices.js'
import { isConnected, stream } from '../shared/stream-client.js'
import { Sliders } from './sliders.js'

const temperature = byId('temperature')
const model = byId('model')
const view = new ConversationView(byId('turns'))

let people = []
let person
let sliders
/** Messages after the system message, as the API takes them. */
let history = []
let replyView
/** The reply under way. */
let writing
/** The model whose sliders are shown. */
let shownModel

const composer = createComposer({ onSend: say, onStop: () => writing?.cancel() })
const connection = h('span')
byId('composer').replaceWith(composer.element, composerHint(connection))

/** Shows the chat; `query.model` is the model to talk with. Models may have come and gone since the last time. */
export async function showChat({ query }, signal) {
  try {
    await fetchParts()
    const names = await servedNames(query.model, signal)
    if (signal.aborted) return
    const wanted = [query.model, model.value].find((name) => names.includes(name))
    model.replaceChildren(...names.map((id) => h('option', { value: id }, id)))
    if (wanted) model.value = wanted
    if (names.length === 0) throw new Error('This server serves no language model. Publish one.')
    if (model.value !== shownModel) await chooseModel()
    if (query.model && wanted !== query.model) {
      showProblem(`"${query.model}" is not served. What is served stands under Models.`)
    }
  } catch (error) {
    showProblem(error.message, { label: 'Try again', run: () => showChat({ query }, signal) })
  }
}

/** The names of the language models. One that was just published may take a moment to load. */
async function servedNames(wanted, signal) {
  for (let tries = 0; ; tries += 1) {
    const { data } = await getJson('/v1/models')
    const names = data.filter(({ kind }) => kind === 'language-model').map(({ id }) => id)
    if (!wanted || names.includes(wanted) || tries === 20 || signal.aborted) return names
    showProblem(`Waiting for "${wanted}" to be loaded…`)
    await pause(1000, signal)
    byId('problems').replaceChildren()
  }
}

async function fetchParts() {
  if (sliders) return
  const [found, presets] = await Promise.all(
    ['/chat/people.json', '/chat/presets.json'].map((path) => getJson(path)),
  )
  people = found
  sliders = new Sliders(presets)
  showPeople()
}

async function chooseModel() {
  const name = model.value
  const attributes = await getJson(`/v1/attributes?model=${encodeURIComponent(name)}`)
  sliders.show(attributes.data)
  shownModel = name
  restart()
}

function showPeople() {
  const cards = people.map((one, index) => {
    const radio = h('input', {
      type: 'radio',
      name: 'person',
      className: 'hidden',
      checked: index === 0,
      onchange: () => choosePerson(one),
    })
    const name = h('span', {}, h('b', {}, one.name), h('small', {}, one.title))
    return h('label', { className: 'person' }, radio, face(one.icon, one.hue), name)
  })
  byId('people').replaceChildren(...cards)
  person = people[0]
}

function choosePerson(one) {
  person = one
  restart()
}

function restart() {
  writing?.cancel()
  writing = undefined
  history = []
  replyView = undefined
  byId('problems').replaceChildren()
  composer.setBusy(false)
  view.showFirst(welcome())
}

/** Before the first word: who is there, and what one could ask. */
function welcome() {
  const chips = person.questions.map((question) =>
    h('button', { type: 'button', className: 'chip', onclick: () => say(question) }, question),
  )
  return h(
    'div',
    { className: 'welcome' },
    face(person.icon, person.hue),
    h('h3', {}, person.name),
    h('p', {}, person.system || 'No system message: whoever the model makes up.'),
    h('div', { className: 'chips' }, ...chips),
  )
}

function say(text) {
  if (writing) return
  history.push({ role: 'user', content: text })
  view.addPlayerTurn(text)
  void answer()
}

/** Lets the person reply to the conversation as it stands. */
async function answer() {
  byId('problems').replaceChildren()
  const turn = view.addReplyTurn(person.name, face(person.icon, person.hue))
  const system = person.system ? [{ role: 'system', content: person.system }] : []
  const request = {
    model: model.value,
    messages: [...system, ...history],
    attributes: sliders.values,
    temperature: temperature.valueAsNumber,
  }
  const reply = stream.start(request, (event) => {
    if (event.type === 'delta') turn.append(event.text)
  })
  writing = reply
  composer.setBusy(true)
  try {
    const report = await reply.result
    if (writing !== reply) return // another conversation by now
    turn.finish({ notes: replyNotes(report), values: report, specs: sliders.specs })
    history.push({ role: 'assistant', content: turn.text, attributes: report.requested })
    replyView = turn
    turn.offerAgain(sayAgain)
  } catch (error) {
    if (writing !== reply) return
    turn.element.remove()
    explain(error)
  } finally {
    if (writing === reply) {
      writing = undefined
      composer.setBusy(false)
    }
  }
}

/** The last reply anew, with the sliders as they are now. */
function sayAgain() {
  if (writing) return
  history.pop()
  replyView.element.remove()
  void answer()
}

function explain(error) {
  const tooLong = error.code === 'context_length_exceeded' && history.length > 2
  const forget = { label: 'Forget the oldest exchange', run: forgetOldest }
  const retry = { label: 'Try again', run: () => void answer() }
  showProblem(error.message ?? 'Something went wrong.', tooLong ? forget : retry)
}

function showProblem(text, action) {
  byId('problems').replaceChildren(problem(text, action))
}

function forgetOldest() {
  const next = history.findIndex((item, index) => index > 0 && item.role === 'user')
  history = history.slice(next)
  void answer()
}

addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !byId('chat').hidden) writing?.cancel()
})

temperature.addEventListener('input', showTemperature)
function showTemperature() {
  byId('temperature-value').value = temperature.value
  temperature.style.setProperty('--filled', `${(temperature.valueAsNumber / 1.5) * 100}%`)
}

byId('new').addEventListener('click', restart)
model.addEventListener(
  'change',
  () =>
  chooseModel().catch((error) => showProblem(error.message, { label: 'Try again', run: () => model.dispatchEvent(new Event('change')) })), // prettier-ignore
)
document.addEventListener('steerlm-connection', () => {
  connection.textContent = isConnected() ? '' : 'Not connected.'
})

// On a narrow screen the conversation comes first.
if (matchMedia('(max-width: 46rem)').matches) byId('steering').open = false
showTemperature()
