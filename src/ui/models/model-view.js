/** `#/models/<name>` and `#/models/<name>/<version>`: versions, aliases with their history, the card. */
import { goTo, hashOf } from '../router.js'
import { getJson, request, sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { ago, bytes } from '../shared/format.js'
import { linkButton, pageHead, section, table } from '../shared/layout.js'
import { renderMarkdown } from '../shared/markdown.js'
import { actionButton, confirm, createTrouble } from '../shared/notices.js'
import { aliasSection } from './aliases.js'

export async function showModel(root, { path: [name, wantedVersion] }) {
  const url = `/v1/registry/models/${encodeURIComponent(name)}`
  const trouble = createTrouble()
  const content = h('div')
  const refresh = async () => {
    const model = await getJson(url)
    const wanted = Number(wantedVersion ?? prodVersion(model))
    const version = model.versions.find((one) => one.version === wanted) ?? model.versions[0]
    const card = await (await request(`${url}/versions/${version.version}/card`)).text()
    content.replaceChildren(
      head(model, { url, trouble }),
      trouble.element,
      aliasSection(model, { url, trouble, refresh }),
      section('Versions', versionTable(model, { url, trouble, refresh, shown: version })),
      section(`Card of version ${version.version}`, renderMarkdown(card)),
    )
  }
  await refresh()
  root.append(content)
}

const prodVersion = ({ aliases, versions }) =>
  aliases.find(({ alias }) => alias === 'prod')?.version ?? versions[0]?.version

function head(model, { url, trouble }) {
  const { name, versions, aliases } = model
  const isServed = aliases.some(({ alias }) => alias === 'prod')
  const isLanguage = versions[0]?.kind !== 'attribute-model'
  const remove = async () => {
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: `All its versions (${versions.length}) and aliases go for good, and it is no longer served.`,
      action: 'Delete all versions',
    })
    if (!isSure) return
    await sendJson('DELETE', `${url}?force=true`)
    goTo(['models'])
  }
  const chat = linkButton('Chat with it', hashOf(['chat'], { model: name }), 'primary')
  return pageHead({
    title: name,
    crumbs: [{ href: hashOf(['models']), label: 'Models' }],
    lead: isServed ? `Served as ${name}` : 'Not served: the alias prod is not set',
    actions: [
      ...(isServed && isLanguage ? [chat] : []),
      linkButton('Publish a version…', hashOf(['jobs', 'new', 'publish'], { model: name })),
      actionButton('Delete', remove, { trouble, className: 'quiet danger-text' }),
    ],
  })
}

function versionTable({ name, versions }, { url, trouble, refresh, shown }) {
  const remove = (version) => async () => {
    const isSure = await confirm({
      title: `Delete ${name}@${version}?`,
      text: 'This version goes for good.',
      action: 'Delete it',
    })
    if (!isSure) return
    await sendJson('DELETE', `${url}/versions/${version}`)
    await refresh()
  }
  /** Under its own name, beside prod. */
  const serve = (version) => async () => {
    const ref = `${name}@${version}`
    await sendJson('PUT', `/v1/registry/served/${encodeURIComponent(ref)}`)
    goTo(['models'])
  }
  const columns = [{ title: 'Version' }, { title: 'Aliases' }, { title: 'From', className: 'wide' }, { title: 'Published' }, { title: 'Size', className: 'number wide' }, { title: 'Note', className: 'wide' }, { title: '', className: 'last' }] // prettier-ignore
  const rows = versions.map((one) => [
    h(
      'a',
      {
        href: hashOf(['models', name, String(one.version)]),
        ...(one.version === shown.version && { 'aria-current': 'true' }),
      },
      String(one.version),
    ),
    one.aliases.join(', '),
    one.from,
    ago(one.created_at),
    one.bytes ? bytes(one.bytes) : '–',
    one.note ?? '',
    h(
      'div',
      { className: 'actions' },
      one.aliases.includes('prod') ? null : actionButton('Serve it', serve(one.version), { trouble }),
      actionButton('Delete', remove(one.version), { trouble, className: 'quiet danger-text' }),
    ),
  ])
  return table(columns, rows, { caption: 'Versions' })
}
