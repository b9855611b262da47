/** Rows of a data set, some at a time: conversations as they were said, with the values of each reply. */
import { getJson } from '../shared/api.js'
import { h, hueOf } from '../shared/dom.js'
import { count, figure } from '../shared/format.js'
import { createTrouble } from '../shared/notices.js'

const pageRows = 5

export async function rowPreview(url, { rows: total }) {
  const trouble = createTrouble()
  const list = h('div', { className: 'rows', ariaLive: 'polite' })
  const place = h('span', { className: 'soft' })
  let offset = 0
  const show = async () => {
    const { data } = await getJson(`${url}/rows?offset=${offset}&limit=${pageRows}`)
    list.replaceChildren(...data.map((row, i) => rowCard(row, offset + i + 1)))
    const end = offset + data.length
    place.textContent =
      total === 0 ? 'none' : `${count(offset + 1)}–${count(end)} of ${count(total)}`
    back.disabled = offset === 0
    on.disabled = end >= total
  }
  const step = (by) => () => {
    offset = Math.max(0, offset + by)
    return trouble.run(show)
  }
  const back = h(
    'button',
    { type: 'button', className: 'quiet', onclick: step(-pageRows) },
    '← Back',
  )
  const on = h('button', { type: 'button', className: 'quiet', onclick: step(pageRows) }, 'On →')
  await show()
  return h('div', {}, list, trouble.element, h('div', { className: 'pager' }, back, place, on))
}

function rowCard(row, number) {
  const content = row.messages
    ? [...row.messages, ...(row.replies ?? []).map(rankedReply)].map(messageLine)
    : [h('code', { className: 'clipped' }, JSON.stringify(row))]
  return h('article', { className: 'row', ariaLabel: `Row ${number}` }, ...content)
}

/** A reply of a set of preferences: the best one has rank 0. */
const rankedReply = ({ rank, ...reply }) => ({ role: `assistant, rank ${rank}`, ...reply })

function messageLine({ role, content, attributes }) {
  const values = Object.entries(attributes ?? {}).map(([name, value], index) =>
    h(
      'span',
      { className: 'value', '--hue': String(hueOf(name, index)) },
      `${name} ${figure(value)}`,
    ),
  )
  return h(
    'div',
    { className: `row-message ${role.split(',')[0]}` },
    h('b', {}, role),
    h('p', {}, content),
    values.length > 0 ? h('div', { className: 'values' }, ...values) : null,
  )
}
