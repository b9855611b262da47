/** Hash routes: `#/data/rated?from=3` is the path `['data', 'rated']` with the query `{from: '3'}`. */

export function parseHash(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  return {
    path: path.split('/').filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

/** The hash of a path of names: each is encoded, so any name is one part. */
export function hashOf(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
  const text = new URLSearchParams(given).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${text && `?${text}`}`
}

function decode(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // a stray % that somebody typed
  }
}

/** Calls `show(route)` now and at every change. */
export function startRouter(show) {
  const go = () => show(parseHash(location.hash))
  addEventListener('hashchange', go)
  go()
}

export function goTo(path, query) {
  location.hash = hashOf(path, query)
}
