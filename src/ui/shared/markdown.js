/**
 * Markdown as model cards use it, into elements: headings, paragraphs, lists, tables, code, quotes, emphasis, links.
 * A card is somebody else's text: all of it becomes text nodes, raw HTML shows as it is written, pictures become their
 * description, and a link may only lead to http, https or a part of this page.
 */
import { h } from './dom.js'

/** The blocks of a text, as data. A front matter between `---` lines is left out. */
export function parseMarkdown(text) {
  const lines = text.replaceAll('\r\n', '\n').replace(/^---\n[\s\S]*?\n---(\n|$)/, '').split('\n') // prettier-ignore
  const blocks = []
  let at = 0
  while (at < lines.length) {
    const reader = readers.find(({ starts }) => starts(lines[at], lines[at + 1]))
    const end = at + Math.max(1, reader.length(lines.slice(at)))
    const block = reader.read(lines.slice(at, end))
    if (block) blocks.push(block)
    at = end
  }
  return blocks
}

const isRow = (line) => /^\s*\|.*\|\s*$/.test(line)
const bullet = /^\s*(?:[-*+]|\d+[.)])\s+/
const special = /^(#{1,6}\s|```|>|\s*\||\s*(?:[-*+]|\d+[.)])\s)/

/** How many lines from the first on belong together. */
const while_ = (test) => (lines) => {
  const end = lines.findIndex((line, index) => index > 0 && !test(line))
  return end === -1 ? lines.length : end
}

const readers = [
  { starts: (line) => line.trim() === '', length: () => 1, read: () => null },
  {
    starts: (line) => line.startsWith('```'),
    length: (lines) => {
      const end = lines.findIndex((line, index) => index > 0 && line.startsWith('```'))
      return end === -1 ? lines.length : end + 1
    },
    read: (lines) => {
      const isClosed = lines.length > 1 && lines.at(-1).startsWith('```')
      return { type: 'code', text: lines.slice(1, isClosed ? -1 : undefined).join('\n') }
    },
  },
  {
    starts: (line) => /^#{1,6}\s/.test(line),
    length: () => 1,
    read: ([line]) => {
      const [, marks, text] = /^(#+)\s+(.*?)\s*#*$/.exec(line) ?? [null, '#', line]
      return { type: 'heading', level: marks.length, text }
    },
  },
  {
    starts: (line) => /^\s*([-*_])\s*(\1\s*){2,}$/.test(line),
    length: () => 1,
    read: () => ({ type: 'rule' }),
  },
  {
    starts: (line, next) => isRow(line) && /^\s*\|[\s:|-]+\|\s*$/.test(next ?? ''),
    length: while_(isRow),
    read: ([head, , ...rows]) => ({ type: 'table', head: cells(head), rows: rows.map(cells) }),
  },
  {
    starts: (line) => bullet.test(line),
    length: while_((line) => bullet.test(line) || /^\s{2,}\S/.test(line)),
    read: (lines) => ({
      type: 'list',
      isOrdered: /^\s*\d/.test(lines[0]),
      items: lines.reduce((items, line) => {
        if (bullet.test(line)) items.push(line.replace(bullet, ''))
        else items.push(`${items.pop()} ${line.trim()}`)
        return items
      }, []),
    }),
  },
  {
    starts: (line) => line.startsWith('>'),
    length: while_((line) => line.startsWith('>')),
    read: (lines) => ({ type: 'quote', text: lines.map((line) => line.replace(/^>\s?/, '')).join(' ') }), // prettier-ignore
  },
  {
    starts: () => true,
    length: while_((line) => line.trim() !== '' && !special.test(line)),
    read: (lines) => ({ type: 'paragraph', text: lines.map((line) => line.trim()).join(' ') }),
  },
]

function cells(row) {
  const inner = row.trim().slice(1, -1)
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** Lengths are bounded, so that no line of marks takes long. */
const inlinePattern =
  /(?<code>`[^`]{1,500}`)|(?<picture>!\[[^\]]{0,300}\]\([^)\s]{0,2000}\))|(?<link>\[[^\]]{1,300}\]\([^)\s]{1,2000}\))|(?<bold>\*\*[^*]{1,300}\*\*)|(?<italic>\*[^*\s][^*]{0,300}\*|\b_[^_]{1,300}_\b)/g

/** The pieces of a line: texts and `{type, text, href?}`. */
export function parseInline(text) {
  const pieces = []
  let end = 0
  for (const match of text.matchAll(inlinePattern)) {
    if (match.index > end) pieces.push(text.slice(end, match.index))
    pieces.push(piece(match.groups))
    end = match.index + match[0].length
  }
  if (end < text.length) pieces.push(text.slice(end))
  return pieces
}

function piece({ code, picture, link, bold, italic }) {
  if (code) return { type: 'code', text: code.slice(1, -1) }
  if (bold) return { type: 'bold', text: bold.slice(2, -2) }
  if (italic) return { type: 'italic', text: italic.slice(1, -1) }
  const [, text, href] = /\[([^\]]*)\]\(([^)\s]*)\)$/.exec(picture ?? link)
  const isSafe = /^(https?:\/\/|#)/i.test(href)
  if (picture) return `[${text || 'picture'}]`
  return isSafe ? { type: 'link', text, href } : text
}

/** The elements of a text. Its headings begin at `topLevel`, below those of the page. */
export function renderMarkdown(text, topLevel = 3) {
  return h('div', { className: 'markdown' }, ...parseMarkdown(text).map((b) => block(b, topLevel)))
}

const inline = (text) =>
  parseInline(text).map((part) => {
    if (typeof part === 'string') return part
    const rest = { target: '_blank', rel: 'noopener noreferrer nofollow' }
    if (part.type === 'link') return h('a', { href: part.href, ...rest }, part.text)
    return h({ code: 'code', bold: 'strong', italic: 'em' }[part.type], {}, part.text)
  })

function block(one, topLevel) {
  switch (one.type) {
    case 'heading':
      return h(`h${Math.min(6, one.level + topLevel - 1)}`, {}, ...inline(one.text))
    case 'code':
      return h('pre', { tabIndex: 0 }, h('code', {}, one.text))
    case 'rule':
      return h('hr')
    case 'list':
      return h(one.isOrdered ? 'ol' : 'ul', {}, ...one.items.map((item) => h('li', {}, ...inline(item)))) // prettier-ignore
    case 'quote':
      return h('blockquote', {}, ...inline(one.text))
    case 'table':
      return tableOf(one)
    default:
      return h('p', {}, ...inline(one.text))
  }
}

function tableOf({ head, rows }) {
  const line = (tag, cells) => h('tr', {}, ...cells.map((cell) => h(tag, {}, ...inline(cell))))
  const body = h('tbody', {}, ...rows.map((row) => line('td', row)))
  return h('div', { className: 'table-frame', tabIndex: 0, role: 'region', ariaLabel: 'Table' }, h('table', {}, h('thead', {}, line('th', head)), body)) // prettier-ignore
}
