/** How a text begins that stands for more than JSON knows. */
const TAGGED = '~'

/** What JSON does not know, by the name of the only member of the object that stands for it. */
interface Tags {
  readonly [name: string]: (data: never) => unknown
}

const tags: Tags = {
  '~bytes': (data: string) => Uint8Array.from(Buffer.from(data, 'base64')),
  '~map': (data: readonly (readonly [unknown, unknown])[]) => new Map(data),
  '~set': (data: readonly unknown[]) => new Set(data),
  '~bigint': (data: string) => BigInt(data),
  '~number': (data: string) => Number(data),
}
/** Stands for an object that would be taken for one of these. */
const OBJECT = '~object'

/** Plain data as text: as JSON where that says everything, which costs a fraction. */
export function encode(value: unknown): string {
  return isJson(value) ? JSON.stringify(value) : TAGGED + JSON.stringify(toJson(value))
}

/** What a text stands for; throws a SyntaxError where it is none of `encode`. */
export function decode(text: string): unknown {
  return text.startsWith(TAGGED) ? fromJson(JSON.parse(text.slice(TAGGED.length))) : JSON.parse(text)
}

function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint'
  if (Array.isArray(value)) return value.every(isJson)
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const name in value) {
    if (name.startsWith(TAGGED) || !isJson((value as Record<string, unknown>)[name])) return false
  }
  return true
}

/** Plain data as what JSON knows. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { '~bigint': String(value) }
  if (typeof value === 'number' && !Number.isFinite(value)) return { '~number': String(value) }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { '~bytes': Buffer.from(value).toString('base64') }
  if (value instanceof Map) return { '~map': [...value].map((entry) => entry.map(toJson)) }
  if (value instanceof Set) return { '~set': [...value].map(toJson) }
  if (Array.isArray(value)) return value.map(toJson)
  const members = membersOf(value, toJson)
  return Object.keys(value).some((name) => name.startsWith(TAGGED)) ? { [OBJECT]: members } : members
}

/** What `toJson` was given. */
export function fromJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromJson)
  const [only] = Object.entries(value)
  const [name, data] = only ?? ['', undefined]
  if (name === OBJECT) return membersOf(data as object, fromJson)
  const tag = name.startsWith(TAGGED) ? tags[name] : undefined
  return tag === undefined ? membersOf(value, fromJson) : tag(fromJson(data) as never)
}

function membersOf(value: object, each: (member: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, each(member)]))
}
