/** Parts that every page is made of: heading, table, empty state, facts. */
import { h, icon } from './dom.js'

/** The heading of a page; `crumbs` are [{href, label}] above it, `actions` stand beside it. */
export function pageHead({ title, crumbs = [], lead, actions = [] }) {
  const trail = crumbs.map(({ href, label }) => h('a', { href }, label))
  return h(
    'header',
    { className: 'page-head' },
    h(
      'div',
      {},
      trail.length > 0
        ? h('nav', { className: 'crumbs', ariaLabel: 'Where this is' }, ...trail)
        : null,
      h('h2', { tabIndex: -1 }, title),
      lead ? h('p', { className: 'lead' }, lead) : null,
    ),
    h('div', { className: 'actions' }, ...actions),
  )
}

export function linkButton(label, href, className = 'quiet') {
  return h('a', { className: `button ${className}`, href }, ...[label].flat())
}

export function section(title, ...content) {
  return h('section', { className: 'card' }, h('h3', {}, title), ...content)
}

/** Nothing there yet, and what to do about it. */
export function emptyState({ iconName, title, text, actions = [] }) {
  return h(
    'div',
    { className: 'empty' },
    icon(iconName),
    h('h3', {}, title),
    h('p', {}, text),
    h('div', { className: 'actions' }, ...actions),
  )
}

/** `columns`: [{title, className?}]; `rows`: lists of cells (nodes or texts). Scrolls sideways by itself. */
export function table(columns, rows, { caption } = {}) {
  const head = columns.map(({ title, className }) => h('th', { scope: 'col', className }, title))
  const body = rows.map((cells) =>
    h(
      'tr',
      {},
      ...cells.map((cell, i) => h('td', { className: columns[i].className }, cell ?? '–')),
    ),
  )
  return h(
    'div',
    { className: 'table-frame', tabIndex: 0, role: 'region', ariaLabel: caption ?? 'Table' },
    h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body)),
  )
}

/** Names and values: `[['rows', '1,200'], …]`; entries without a value are left out. */
export function facts(entries) {
  const shown = entries.filter(
    ([, value]) => value !== null && value !== undefined && value !== false && value !== '',
  )
  return h(
    'dl',
    { className: 'facts' },
    ...shown.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  )
}

export function progressBar({ done, total, label }) {
  const known = total > 0
  return h('progress', {
    max: known ? total : 1,
    ...(known && { value: Math.min(done, total) }),
    ariaLabel: label,
  })
}

/** A file for the visitor out of what the page holds. */
export function saveFile(name, blob) {
  const href = URL.createObjectURL(blob)
  h('a', { href, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
}
