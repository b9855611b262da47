/** The aliases of a published model: which version each means, moving it, going back, its history. */
import { sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { ago } from '../shared/format.js'
import { buildForm, nameField, selectField } from '../shared/forms.js'
import { section } from '../shared/layout.js'
import { actionButton } from '../shared/notices.js'

export function aliasSection(model, { url, trouble, refresh }) {
  const rows = model.aliases.map((alias) => aliasRow(model, alias, { url, trouble, refresh }))
  const hint = h('p', { className: 'soft' }, 'No alias yet. With prod the model is served.')
  const more = h('details', {}, h('summary', {}, 'Another alias'), newAlias(model, { url, refresh }))
  return section('Aliases', ...(rows.length > 0 ? rows : [hint]), more)
}

function aliasRow(model, alias, { url, trouble, refresh }) {
  const path = `${url}/aliases/${encodeURIComponent(alias.alias)}`
  const after = (work) => async () => {
    await work()
    await refresh()
  }
  const move = (version) => after(() => sendJson('PUT', path, { version }))
  const select = h(
    'select',
    {
      ariaLabel: `Version of ${alias.alias}`,
      onchange: () => trouble.run(move(Number(select.value))),
    },
    ...model.versions.map(({ version }) =>
      h('option', { value: String(version), selected: version === alias.version }, `version ${version}`), // prettier-ignore
    ),
  )
  const rollBack = actionButton(
    `Roll back${alias.previous_version ? ` to ${alias.previous_version}` : ''}`,
    after(() => sendJson('POST', `${path}/rollback`)),
    { trouble },
  )
  rollBack.disabled = !alias.previous_version
  const remove = actionButton('Remove', after(() => sendJson('DELETE', path)), { trouble })
  return h(
    'div',
    { className: 'alias' },
    h('b', {}, `${model.name}@${alias.alias}`),
    select,
    rollBack,
    remove,
    h('small', { className: 'soft' }, historyText(alias)),
  )
}

function historyText({ history = [] }) {
  return history
    .slice(-4)
    .toReversed()
    .map(({ version, created_at: at }) => `version ${version}, ${ago(at)}`)
    .join(' ← ')
}

function newAlias(model, { url, refresh }) {
  const versions = model.versions.map(({ version }) => ({ value: String(version), label: `version ${version}` })) // prettier-ignore
  const fields = [
    nameField('alias', 'Alias', { value: model.aliases.length === 0 ? 'prod' : '' }),
    selectField('version', 'Version', { options: versions }),
  ]
  const onSubmit = async ({ alias, version }) => {
    await sendJson('PUT', `${url}/aliases/${encodeURIComponent(alias)}`, { version: Number(version) })
    await refresh()
  }
  return buildForm({ fields, submit: 'Set it', onSubmit })
}
