/** What the server serves: ready, being loaded, or failed and why. */
import { hashOf } from '../router.js'
import { getJson, sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { count } from '../shared/format.js'
import { table } from '../shared/layout.js'
import { actionButton } from '../shared/notices.js'
import { attributeText, kindNames } from './model-parts.js'

/** Both lists, joined by name: a model that cannot be loaded is in the second only. */
export async function loadServed() {
  const [models, states] = await Promise.all([
    getJson('/v1/models').then(({ data }) => data),
    getJson('/v1/registry/served').then(({ data }) => data),
  ])
  const byName = new Map(models.map((model) => [model.id, { name: model.id, model }]))
  for (const state of states) byName.set(state.name, { ...byName.get(state.name), ...state })
  return [...byName.values()]
}

export function servedTable(served, { trouble, refresh }) {
  const unload = (name) => async () => {
    await sendJson('DELETE', `/v1/registry/served/${encodeURIComponent(name)}`)
    await refresh()
  }
  const columns = [
    { title: 'Name' },
    { title: 'State' },
    { title: 'Kind', className: 'wide' },
    { title: 'Attributes', className: 'wide' },
    { title: 'Context', className: 'number wide' },
    { title: '', className: 'last' },
  ]
  const rows = served.map(({ name, model, state, version, because, error }) => [
    h('span', {}, h('b', {}, name), version ? h('small', { className: 'soft' }, ` version ${version}`) : null), // prettier-ignore
    error ? h('span', { className: 'warn', title: error.code }, `${state}: ${error.message}`) : (state ?? 'ready'), // prettier-ignore
    kindNames[model?.kind],
    attributeText(model?.attributes),
    model ? count(model.context_length) : '–',
    h(
      'div',
      { className: 'actions' },
      model?.kind === 'language-model' ? h('a', { href: hashOf(['chat'], { model: name }) }, 'Chat with it') : null, // prettier-ignore
      because === 'requested' ? actionButton('Unload', unload(name), { trouble }) : null,
    ),
  ])
  return table(columns, rows, { caption: 'Served models' })
}
