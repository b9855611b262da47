/** `#/characters/<id>`: one character: talk to it, let things happen to it, see how it feels, save it. */
import { goTo, hashOf } from '../router.js'
import { getJson, request, sendJson } from '../shared/api.js'
import { h, icon } from '../shared/dom.js'
import { repeat } from '../shared/follow-events.js'
import { saveFile } from '../shared/layout.js'
import { actionButton, confirm, createTrouble } from '../shared/notices.js'
import { eventButtons } from './events.js'
import { createMood } from './mood.js'
import { portrait } from './portrait.js'
import { createTalk } from './talk.js'

export async function showCharacter(root, { path: [id], signal }) {
  const url = `/v1/npcs/${encodeURIComponent(id)}`
  const npc = await getJson(url)
  const specs = await attributesOf(npc.definition.model)
  const trouble = createTrouble()
  const mood = createMood(specs)
  let version = -1
  const onState = (state) => {
    if (state.version < version) return // an older answer that came late
    version = state.version
    mood.show(state)
  }
  const talk = createTalk({ npc, specs, onState, signal })
  const refresh = async () => onState(await getJson(`${url}/state`))
  await Promise.all([refresh(), talk.showPast()])

  root.classList.add('character')
  root.append(
    heading(npc, { url, trouble }),
    h(
      'aside',
      { className: 'inner-life', ariaLabel: `How ${npc.name} feels` },
      trouble.element,
      mood.element,
      h(
        'section',
        { className: 'happens' },
        h('h3', {}, 'What happens'),
        eventButtons(npc.definition, talk.raise, trouble),
      ),
      definitionDetails(npc.definition),
    ),
    talk.element,
  )
  // Moods fade by themselves. A failure shows with the next thing the visitor does.
  void repeat(() => refresh().catch(() => {}), 2500, signal)
}

async function attributesOf(model) {
  const query = model ? `?model=${encodeURIComponent(model)}` : ''
  return (await getJson(`/v1/attributes${query}`)).data
}

function heading({ id, name }, { url, trouble }) {
  const save = async () => saveFile(`${id}.json`, await (await request(`${url}/save`)).blob())
  const remove = async () => {
    const isSure = await confirm({
      title: `Say goodbye to ${name}?`,
      text: 'The character and the conversation go. A saved file can bring them back.',
      action: 'Delete',
    })
    if (!isSure) return
    await sendJson('DELETE', url)
    goTo(['characters'])
  }
  const label = [icon('download'), h('span', { className: 'wide' }, 'Save to a file')]
  const saveButton = actionButton(label, save, { trouble })
  saveButton.ariaLabel = 'Save to a file'
  return h(
    'header',
    { className: 'character-head' },
    portrait(name),
    h(
      'div',
      {},
      h('nav', { className: 'crumbs', ariaLabel: 'Where this is' }, h('a', { href: hashOf(['characters']) }, 'Characters')), // prettier-ignore
      h('h2', { tabIndex: -1 }, name),
    ),
    h(
      'div',
      { className: 'actions' },
      saveButton,
      actionButton('Delete', remove, { trouble, className: 'quiet danger-text' }),
    ),
  )
}

function definitionDetails(definition) {
  return h(
    'details',
    { className: 'definition' },
    h('summary', {}, 'Who they are and what moves them'),
    h('p', {}, definition.persona),
    h('ul', {}, ...(definition.rules ?? []).map((rule) => h('li', {}, h('code', {}, rule)))),
  )
}
