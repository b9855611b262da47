/** `#/characters`: saved characters, templates to make some from, and a file to load one from. */
import { goTo, hashOf } from '../router.js'
import { getJson, sendJson } from '../shared/api.js'
import { h, icon } from '../shared/dom.js'
import { ago } from '../shared/format.js'
import { pageHead } from '../shared/layout.js'
import { actionButton, confirm, createTrouble } from '../shared/notices.js'
import { portrait } from './portrait.js'

export async function showCharacters(root) {
  const [{ data: saved }, { data: templates }] = await Promise.all(
    ['/v1/npcs?limit=100', '/v1/npcs/templates'].map((path) => getJson(path)),
  )
  const trouble = createTrouble()
  const begin = async (template) => {
    const made = await sendJson('POST', '/v1/npcs', { template })
    goTo(['characters', made.id])
  }
  root.append(
    pageHead({
      title: 'Characters',
      lead: 'People with a mood and a memory: what happens to them changes how they talk.',
      actions: [loadButton(trouble)],
    }),
    trouble.element,
    h('h3', {}, 'Meet somebody new'),
    h('div', { className: 'cast' }, ...templates.map(({ id, definition }) => templateCard(id, definition, begin, trouble))), // prettier-ignore
    h('h3', {}, 'People you know'),
    saved.length > 0
      ? h('div', { className: 'cast' }, ...saved.map(savedCard))
      : h('p', { className: 'soft' }, 'Nobody yet. Meet one of the people above, or load a saved character from a file.'), // prettier-ignore
  )
}

function templateCard(id, definition, begin, trouble) {
  const button = actionButton('Meet', () => begin(id), { trouble, className: 'primary' })
  button.ariaLabel = `Meet ${definition.name}, ${id}`
  return h(
    'article',
    { className: 'card cast-card' },
    portrait(definition.name),
    h('div', {}, h('b', {}, definition.name), h('small', {}, id)),
    h('p', {}, definition.persona),
    button,
  )
}

function savedCard({ id, name, definition, updated_at: updated }) {
  return h(
    'a',
    { className: 'card cast-card', href: hashOf(['characters', id]) },
    portrait(name),
    h('div', {}, h('b', {}, name), h('small', {}, `${id} · ${ago(updated)}`)),
    h('p', {}, definition.persona),
  )
}

function loadButton(trouble) {
  const input = h('input', {
    type: 'file',
    id: 'character-file',
    className: 'hidden',
    accept: '.json,application/json',
    onchange: () => {
      const [file] = input.files
      input.value = ''
      if (file) void trouble.run(() => loadFile(file))
    },
  })
  return h('label', { className: 'button quiet', htmlFor: 'character-file' }, icon('upload'), 'Load from a file', input) // prettier-ignore
}

async function loadFile(file) {
  let save
  try {
    save = JSON.parse(await file.text())
  } catch {
    throw new Error(`${file.name} is not a saved character: it holds no JSON.`)
  }
  const made = await loadSave(save)
  if (made) goTo(['characters', made.id])
}

/** Under its own id. Where somebody has that already, the visitor says whether to replace them. */
async function loadSave(save) {
  const load = (more) => sendJson('POST', '/v1/npcs/load', { save, id: save?.id, ...more })
  try {
    return await load()
  } catch (error) {
    if (error.status !== 409) throw error
    const isSure = await confirm({
      title: `Replace ${save.id}?`,
      text: 'A character with this id is here already. The one from the file would take its place, as it was when it was saved.',
      action: 'Replace',
    })
    return isSure ? load({ replace: true }) : null
  }
}
