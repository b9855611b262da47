/** `#/models`: what is served, what is published, what lies in the workspace. */
import { hashOf } from '../router.js'
import { getJson, sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { ago, count } from '../shared/format.js'
import { emptyState, linkButton, pageHead, section, table } from '../shared/layout.js'
import { actionButton, confirm, createTrouble } from '../shared/notices.js'
import { attributeText, kindNames } from './model-parts.js'
import { loadServed, servedTable } from './served-models.js'

export async function showModels(root) {
  const trouble = createTrouble()
  const content = h('div')
  const refresh = async () => {
    const [served, published, workspace] = await Promise.all([
      loadServed(),
      getJson('/v1/registry/models'),
      getJson('/v1/registry/workspace'),
    ])
    content.replaceChildren(
      section('Served now', servedTable(served, { trouble, refresh })),
      section('Published', publishedTable(published.data)),
      section('Workspace', workspaceTable(workspace.data, { trouble, refresh })),
    )
  }
  await refresh()
  root.append(
    pageHead({
      title: 'Models',
      lead: 'Trained models lie in the workspace. Published, they become versions that never change; the alias prod is served.',
      actions: [linkButton('Publish…', hashOf(['jobs', 'new', 'publish']), 'primary')],
    }),
    trouble.element,
    content,
  )
}

function publishedTable(models) {
  if (models.length === 0) {
    return emptyState({
      iconName: 'models',
      title: 'Nothing published yet',
      text: 'A model that was trained can be published here; from then on it is served under its name.',
      actions: [linkButton('Whole loop…', hashOf(['jobs', 'new', 'pipeline']), 'primary')],
    })
  }
  const columns = [{ title: 'Name' }, { title: 'Kind' }, { title: 'Versions', className: 'number wide' }, { title: 'Aliases' }, { title: 'Newest' }] // prettier-ignore
  const rows = models.map(({ name, versions, aliases }) => [
    h('a', { href: hashOf(['models', name]) }, name),
    kindNames[versions[0]?.kind],
    count(versions.length),
    aliases.map(({ alias, version }) => `${alias} → ${version}`).join(', ') || 'none',
    versions[0] ? ago(versions[0].created_at) : '–',
  ])
  return table(columns, rows, { caption: 'Published models' })
}

function workspaceTable(models, { trouble, refresh }) {
  if (models.length === 0) return h('p', { className: 'soft' }, 'Empty. Trainings put their models here.') // prettier-ignore
  const remove = (name) => async () => {
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: 'The trained weights go. Published versions of it stay.',
      action: 'Delete it',
    })
    if (!isSure) return
    await sendJson('DELETE', `/v1/registry/workspace/${encodeURIComponent(name)}`)
    await refresh()
  }
  const columns = [{ title: 'Name' }, { title: 'Kind' }, { title: 'Attributes', className: 'wide' }, { title: 'Made', className: 'wide' }, { title: '', className: 'last' }] // prettier-ignore
  const rows = models.map(({ name, kind, problem, attributes, created_at: created }) => [
    h('b', {}, name),
    problem ? h('span', { className: 'warn' }, problem) : kindNames[kind],
    attributeText(attributes),
    created ? ago(created) : '–',
    h(
      'div',
      { className: 'actions' },
      problem ? null : linkButton('Publish…', hashOf(['jobs', 'new', 'publish'], { from: name })),
      actionButton('Delete', remove(name), { trouble, className: 'quiet danger-text' }),
    ),
  ])
  return table(columns, rows, { caption: 'Models of the workspace' })
}
