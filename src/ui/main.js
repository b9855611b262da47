/** The page: joins characters, sliders, conversation and the stream. Holds the conversation. */
import {
  addPlayerTurn,
  addReplyTurn,
  clearProblems,
  showProblem,
  showWelcome,
} from './conversation-view.js'
import { byId, face, h, icon } from './dom.js'
import { Sliders } from './sliders.js'
import { StreamClient } from './stream-client.js'
import { startTheme } from './theme.js'

const message = byId('message')
const send = byId('send')
const temperature = byId('temperature')

let characters = []
let character
let sliders
/** Messages after the system message, as the API takes them. */
let history = []
let replyView
/** The reply under way. */
let writing

const client = new StreamClient('/v1/stream', (isOpen) => {
  byId('connection').textContent = isOpen ? '' : 'Not connected.'
})

async function getJson(path) {
  const response = await fetch(path).catch(() => {
    throw new Error('The server does not answer. Is it still running?')
  })
  const body = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(body.error?.message ?? `${path}: status ${response.status}`)
  return body
}

async function begin() {
  startTheme(byId('theme'))
  const [people, presets, models] = await Promise.all(
    ['/characters.json', '/presets.json', '/v1/models'].map(getJson),
  )
  characters = people
  sliders = new Sliders(presets)
  const generative = models.data.filter((model) => model.kind === 'language-model')
  byId('model').replaceChildren(
    ...generative.map(({ id }) => h('option', { value: id, textContent: id })),
  )
  showCharacters()
  await chooseModel()
}

async function chooseModel() {
  const model = byId('model').value
  const attributes = await getJson(`/v1/attributes?model=${encodeURIComponent(model)}`)
  sliders.show(attributes.data)
  restart()
}

function showCharacters() {
  const cards = characters.map((person, index) => {
    const radio = h('input', {
      type: 'radio',
      name: 'character',
      className: 'hidden',
      checked: index === 0,
      onchange: () => chooseCharacter(person),
    })
    const name = h('span', {}, h('b', {}, person.name), h('small', {}, person.title))
    return h('label', { className: 'person' }, radio, face(person.icon, person.hue), name)
  })
  byId('characters').replaceChildren(...cards)
  character = characters[0]
}

function chooseCharacter(person) {
  character = person
  restart()
}

function restart() {
  writing?.cancel()
  writing = undefined
  history = []
  replyView = undefined
  clearProblems()
  showBusy(false)
  showWelcome(character, say)
}

function say(text) {
  if (writing || text.trim() === '') return
  history.push({ role: 'user', content: text.trim() })
  addPlayerTurn(text.trim())
  message.value = ''
  fitMessage()
  void answer()
}

/** Lets the character reply to the conversation as it stands. */
async function answer() {
  clearProblems()
  const view = addReplyTurn(character)
  const system = character.system ? [{ role: 'system', content: character.system }] : []
  let text = ''
  const stream = client.start(
    {
      model: byId('model').value,
      messages: [...system, ...history],
      attributes: sliders.values,
      temperature: temperature.valueAsNumber,
    },
    (event) => {
      if (event.type !== 'delta') return
      text += event.text
      view.append(event.text)
    },
  )
  writing = stream
  showBusy(true)
  try {
    const done = await stream.result
    if (writing !== stream) return // another conversation by now
    view.finish(done, sliders.specs)
    history.push({ role: 'assistant', content: text, attributes: done.requested })
    replyView = view
    view.offerAgain(sayAgain)
  } catch (error) {
    if (writing !== stream) return
    view.element.remove()
    explain(error)
  } finally {
    if (writing === stream) {
      writing = undefined
      showBusy(false)
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

function forgetOldest() {
  const next = history.findIndex((item, index) => index > 0 && item.role === 'user')
  history = history.slice(next)
  void answer()
}

function showBusy(isBusy) {
  send.replaceChildren(icon(isBusy ? 'stop' : 'send'))
  send.ariaLabel = isBusy ? 'Stop' : 'Send'
  send.disabled = !isBusy && message.value.trim() === ''
}

function fitMessage() {
  message.style.height = 'auto'
  message.style.height = `${message.scrollHeight}px`
  if (!writing) send.disabled = message.value.trim() === ''
}

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  if (writing) writing.cancel()
  else say(message.value)
})

message.addEventListener('input', fitMessage)
message.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  if (!writing) say(message.value)
})

addEventListener('keydown', (event) => {
  if (event.key === 'Escape') writing?.cancel()
})

temperature.addEventListener('input', showTemperature)
function showTemperature() {
  byId('temperature-value').value = temperature.value
  temperature.style.setProperty('--filled', `${(temperature.valueAsNumber / 1.5) * 100}%`)
}

byId('new').addEventListener('click', restart)
byId('model').addEventListener('change', () => chooseModel().catch(explainStart))

// On a narrow screen the conversation comes first.
if (matchMedia('(max-width: 46rem)').matches) document.querySelector('.steering').open = false

function explainStart(error) {
  showProblem(error.message, { label: 'Reload', run: () => location.reload() })
}

showTemperature()
begin().catch(explainStart)
