/** `#/data`: the stored data sets, and the upload of another. */
import { hashOf } from '../router.js'
import { getJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { ago, bytes, count } from '../shared/format.js'
import { emptyState, pageHead, table } from '../shared/layout.js'
import { createUpload } from './upload.js'

export async function showDatasets(root) {
  const list = h('div')
  const refresh = async () => {
    const { data } = await getJson('/v1/datasets')
    list.replaceChildren(data.length > 0 ? listTable(data) : nothing())
  }
  await refresh()
  root.append(
    pageHead({
      title: 'Data',
      lead: 'Conversations to train on: rated ones teach the attribute model, texts get labelled by it.',
    }),
    createUpload({ onDone: refresh }),
    list,
  )
}

function nothing() {
  return emptyState({
    iconName: 'data',
    title: 'No data yet',
    text: 'Drop a file of conversations above: one JSON object per line (NDJSON), plain or gzipped. Then label it or train with it.',
  })
}

function listTable(datasets) {
  const columns = [
    { title: 'Name' },
    { title: 'Kind', className: 'wide' },
    { title: 'Rows', className: 'number' },
    { title: 'Attributes', className: 'wide' },
    { title: 'Size', className: 'number wide' },
    { title: 'Added' },
  ]
  const rows = datasets.map((set) => [
    h('a', { href: hashOf(['data', set.name]) }, set.name),
    set.kind,
    rowCount(set),
    attributeNames(set) || 'not rated',
    bytes(set.bytes),
    ago(set.created_at),
  ])
  return table(columns, rows, { caption: 'Data sets' })
}

function rowCount({ rows, quarantined }) {
  if (!quarantined) return count(rows)
  return h('span', {}, count(rows), h('small', { className: 'warn' }, ` ${count(quarantined)} bad`))
}

export const attributeNames = (set) => Object.keys(set.attributes ?? {}).join(', ')
