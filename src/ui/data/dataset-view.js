/** `#/data/<name>`: one data set with its rows, its figures, and what can be done with it. */
import { goTo, hashOf } from '../router.js'
import { getJson, request, sendJson } from '../shared/api.js'
import { h, icon } from '../shared/dom.js'
import { ago, bytes, count } from '../shared/format.js'
import { facts, linkButton, pageHead, saveFile, section } from '../shared/layout.js'
import { actionButton, confirm, createTrouble } from '../shared/notices.js'
import { statistics } from './statistics.js'
import { quarantineTable } from './quarantine.js'
import { rowPreview } from './row-preview.js'

export async function showDataset(root, { path: [name] }) {
  const url = `/v1/datasets/${encodeURIComponent(name)}`
  const dataset = await getJson(url)
  const isTokens = dataset.kind === 'tokens'
  const stats = isTokens ? null : await getJson(`${url}/stats`)
  const trouble = createTrouble()
  root.append(
    pageHead({
      title: name,
      crumbs: [{ href: hashOf(['data']), label: 'Data' }],
      lead: summary(dataset),
      actions: actions(dataset, url, trouble),
    }),
    trouble.element,
    ...(stats ? statistics(stats) : []),
    section('Rows', await rowPreview(url, dataset)),
  )
  if (dataset.quarantined > 0) {
    root.append(section('Rows that were not valid', await quarantineTable(name, 50)))
  }
  root.append(section('Where it came from', origin(dataset)))
}

function summary({ rows, bytes: size, kind, quarantined, created_at: created }) {
  const bad = quarantined > 0 ? ` · ${count(quarantined)} set aside` : ''
  return `${count(rows)} ${kind === 'tokens' ? 'token rows' : kind}${bad} · ${bytes(size)} · ${ago(created)}`
}

function actions(dataset, url, trouble) {
  const { name } = dataset
  const isRated = Object.keys(dataset.attributes ?? {}).length > 0
  const newJob = (kind, query) => hashOf(['jobs', 'new', kind], { data: name, ...query })
  const label = linkButton('Label with…', newJob('label'), isRated ? 'quiet' : 'primary')
  const train = linkButton('Train…', newJob('train', { stage: isRated ? 'apm' : 'pretrain' }), isRated ? 'primary' : 'quiet') // prettier-ignore
  const download = actionButton([icon('download'), 'Download'], () => fetchFile(name, url), { trouble }) // prettier-ignore
  const remove = actionButton('Delete', () => deleteDataset(name, url), {
    trouble,
    className: 'quiet danger-text',
  })
  return dataset.kind === 'tokens' ? [train, download, remove] : [train, label, download, remove]
}

async function fetchFile(name, url) {
  const response = await request(`${url}/download?format=records`)
  saveFile(`${name}.ndjson`, await response.blob())
}

async function deleteDataset(name, url) {
  const isSure = await confirm({
    title: `Delete ${name}?`,
    text: 'Its rows are removed from the server. Models trained on it stay.',
    action: 'Delete it',
  })
  if (!isSure) return
  await sendJson('DELETE', url)
  goTo(['data'])
}

function origin({ source, sha256 }) {
  const entries = Object.entries(source ?? {}).map(([key, value]) => [
    key,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ])
  return facts([...entries, ['sha256', h('code', {}, sha256)]])
}
