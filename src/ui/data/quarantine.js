/** Rows that were not valid: where, why, what. */
import { getJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { table } from '../shared/layout.js'

export async function quarantineTable(name, limit = 20) {
  const path = `/v1/datasets/${encodeURIComponent(name)}/quarantine?limit=${limit}`
  const { data } = await getJson(path)
  const columns = [{ title: 'Line', className: 'number' }, { title: 'Problem' }, { title: 'Row' }]
  const rows = data.map((row) => [
    String(row.line),
    row.reason,
    h('code', { className: 'clipped', title: row.raw }, row.raw),
  ])
  return table(columns, rows, { caption: 'Rows that were not valid' })
}
