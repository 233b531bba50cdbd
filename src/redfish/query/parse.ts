import { RedfishError } from '../errors.ts'
import { type Message, message } from '../messages/message.ts'
import { type Expand, MAX_LEVELS, parseExpand } from './expand.ts'
import { type Filter, parseFilter } from './filter.ts'
import { parseSelect, type Selection } from './select.ts'

/** The query options of a GET, read and found right; those that nobody gave are `undefined`, 0 or false. */
export interface Query {
  readonly expand: Expand | undefined
  readonly filter: Filter | undefined
  readonly select: Selection | undefined
  readonly skip: number
  readonly top: number | undefined
  readonly excerpt: boolean
  readonly only: boolean
  /** Which options were given, in their order. */
  readonly given: readonly string[]
  /** The options as written that go on to the next page. */
  readonly carried: readonly string[]
}

/** What the service root announces: the options below, and nothing else. */
export const protocolFeatures = {
  ExpandQuery: { ExpandAll: true, NoLinks: true, Links: true, Levels: true, MaxLevels: MAX_LEVELS },
  FilterQuery: true,
  FilterQueryComparisonOperations: true,
  FilterQueryCompoundOperations: true,
  SelectQuery: true,
  TopSkipQuery: true,
  OnlyMemberQuery: true,
  ExcerptQuery: true,
} as const

type Draft = { -readonly [N in keyof Query]: Query[N] }
/** Reads a value into the draft, or says what is wrong with it. */
type Read = (value: string, name: string, draft: Draft) => Message | undefined

const flag =
  (name: 'excerpt' | 'only'): Read =>
  (value, _name, draft) => {
    if (value !== '') return message('Base.QueryParameterValueError', name)
    draft[name] = true
    return undefined
  }

const count =
  (member: 'skip' | 'top'): Read =>
  (value, name, draft) => {
    if (!/^-?\d+$/.test(value)) return message('Base.QueryParameterValueTypeError', shown(value), name)
    const number = Number(value)
    if (number < 0 || number > Number.MAX_SAFE_INTEGER) {
      return message('Base.QueryParameterOutOfRange', shown(value), name, '0 or more')
    }
    draft[member] = number
    return undefined
  }

const options: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['$expand', readExpand],
  ['$filter', readText('filter', parseFilter)],
  ['$select', readText('select', parseSelect)],
  ['$skip', count('skip')],
  ['$top', count('top')],
  ['excerpt', flag('excerpt')],
  ['only', flag('only')],
])

/**
 * The options that the part of a URL behind `?` gives, `undefined` for none. Throws a RedfishError: 501 for every
 * option with `$` that nobody offers, 400 for every value that is wrong (DSP0266, query parameters).
 */
export function parseQuery(text: string): Query | undefined {
  const pairs = [...new URLSearchParams(text)]
  const unsupported = new Set(
    pairs.map(([name]) => name).filter((name) => name.startsWith('$') && !options.has(name)),
  )
  if (unsupported.size > 0) {
    throw new RedfishError(
      501,
      [...unsupported].map((name) => message('Base.QueryParameterUnsupported', shown(name))),
    )
  }
  const known = pairs.filter(([name]) => options.has(name))
  return known.length === 0 ? undefined : read(known)
}

function read(pairs: readonly (readonly [name: string, value: string])[]): Query {
  const names = pairs.map(([name]) => name)
  const draft: Draft = {
    expand: undefined,
    filter: undefined,
    select: undefined,
    skip: 0,
    top: undefined,
    excerpt: false,
    only: false,
    given: names,
    carried: pairs.filter(([name]) => name !== '$skip' && name !== '$top').map(written),
  }
  // An option given twice means nothing, and `only` answers another resource than the others speak of.
  const isMixed = names.length > new Set(names).size || (names.includes('only') && names.length > 1)
  const mistakes = [
    ...pairs.flatMap(([name, value]) => options.get(name)?.(value, name, draft) ?? []),
    ...(isMixed ? [message('Base.QueryCombinationInvalid')] : []),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  return draft
}

function readExpand(value: string, name: string, draft: Draft): Message | undefined {
  const parsed = parseExpand(value)
  if (parsed.ok) draft.expand = parsed.value
  else if (parsed.problem === 'range') {
    return message('Base.QueryParameterOutOfRange', shown(value), name, `$levels from 1 to ${MAX_LEVELS}`)
  } else return message('Base.QueryParameterValueFormatError', shown(value), name)
  return undefined
}

function readText<N extends 'filter' | 'select'>(
  member: N,
  parse: (value: string) => Query[N] | undefined,
): Read {
  return (value, name, draft) => {
    const parsed = parse(value)
    if (parsed === undefined) return message('Base.QueryParameterValueFormatError', shown(value), name)
    draft[member] = parsed
    return undefined
  }
}

function written([name, value]: readonly [string, string]): string {
  return value === '' ? name : `${name}=${encodeURIComponent(value)}`
}

/** As it may stand in a message: a URL may be long. */
function shown(value: string): string {
  return value.length > 200 ? `${value.slice(0, 200)}…` : value
}
