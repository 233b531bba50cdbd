import { isObject, type Json, type JsonObject } from '../resource.ts'

type Literal = string | number | boolean | null
type Operand =
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'property'; readonly path: readonly string[] }
type Comparison = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le'

/** What `$filter` asks of a member of a collection. */
export type Filter =
  | { readonly kind: 'compare'; readonly by: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Filter[] }
  | { readonly kind: 'not'; readonly term: Filter }

/** Parentheses and `not` within each other; a longer URL must not become a deeper stack. */
const MAX_DEPTH = 32

const NAME = '[A-Za-z_@#][\\w@#.-]*'
const TOKEN = new RegExp(
  `\\s*(?:${[
    /(?<mark>[()])/.source,
    /(?<text>'[^']*(?:''[^']*)*')/.source,
    /(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))/.source,
    `(?<word>${NAME}(?:/${NAME})*)`,
  ].join('|')})`,
  'y',
)
const constants: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ['true', true],
  ['false', false],
  ['null', null],
])

type Token = string | { readonly value: Literal }
interface Reader {
  readonly tokens: readonly Token[]
  at: number
}

/** The filter that an expression means; `undefined` when it is none (DSP0266, the $filter query parameter). */
export function parseFilter(expression: string): Filter | undefined {
  const tokens = tokensOf(expression.trimEnd())
  if (tokens === undefined) return undefined
  const reader = { tokens, at: 0 }
  const filter = readOr(reader, MAX_DEPTH)
  return reader.at === tokens.length ? filter : undefined
}

/** Whether a resource is as the filter asks; what a resource does not have counts as null. */
export function fits(filter: Filter, resource: JsonObject): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.terms.every((term) => fits(term, resource))
    case 'or':
      return filter.terms.some((term) => fits(term, resource))
    case 'not':
      return !fits(filter.term, resource)
    case 'compare': {
      // Of an array it suffices that one item is as asked: `LogPurposes eq 'Security'`.
      const by = filter.by === 'ne' ? 'eq' : filter.by
      const rights = valuesOf(filter.right, resource)
      const holds = valuesOf(filter.left, resource).some((left) =>
        rights.some((right) => compare(left, by, right)),
      )
      return holds !== (filter.by === 'ne')
    }
  }
}

function tokensOf(expression: string): Token[] | undefined {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < expression.length) {
    const { mark, text, number, word } = TOKEN.exec(expression)?.groups ?? {}
    if (text !== undefined) tokens.push({ value: text.slice(1, -1).replaceAll("''", "'") })
    else if (number !== undefined) tokens.push({ value: Number(number) })
    else if (word !== undefined) tokens.push(wordToken(word))
    else if (mark !== undefined) tokens.push(mark)
    else return undefined
  }
  return tokens
}

function wordToken(word: string): Token {
  const value = constants.get(word)
  return value === undefined ? word : { value }
}

function readOr(reader: Reader, depth: number): Filter | undefined {
  return readTerms(reader, 'or', () => readTerms(reader, 'and', () => readTerm(reader, depth)))
}

function readTerms(reader: Reader, kind: 'and' | 'or', read: () => Filter | undefined): Filter | undefined {
  const first = read()
  if (first === undefined) return undefined
  const terms = [first]
  while (take(reader, kind)) {
    const next = read()
    if (next === undefined) return undefined
    terms.push(next)
  }
  return terms.length === 1 ? first : { kind, terms }
}

function readTerm(reader: Reader, depth: number): Filter | undefined {
  if (depth === 0) return undefined
  if (take(reader, 'not')) {
    const term = readTerm(reader, depth - 1)
    return term && { kind: 'not', term }
  }
  if (take(reader, '(')) {
    const inner = readOr(reader, depth - 1)
    return take(reader, ')') ? inner : undefined
  }
  const left = readOperand(reader)
  const by = reader.tokens[reader.at]
  if (left === undefined || !isComparison(by)) return undefined
  reader.at += 1
  const right = readOperand(reader)
  return right && { kind: 'compare', by, left, right }
}

function readOperand(reader: Reader): Operand | undefined {
  const token = reader.tokens[reader.at]
  if (token === undefined || token === '(' || token === ')') return undefined
  reader.at += 1
  return typeof token === 'string'
    ? { kind: 'property', path: token.split('/') }
    : { kind: 'literal', value: token.value }
}

function take(reader: Reader, token: string): boolean {
  const isNext = reader.tokens[reader.at] === token
  if (isNext) reader.at += 1
  return isNext
}

function isComparison(token: Token | undefined): token is Comparison {
  return typeof token === 'string' && ['eq', 'ne', 'gt', 'ge', 'lt', 'le'].includes(token)
}

function valuesOf(operand: Operand, resource: JsonObject): readonly Json[] {
  if (operand.kind === 'literal') return [operand.value]
  const values = operand.path.reduce<readonly Json[]>(
    (found, name) =>
      found.flatMap((value) => {
        const inner = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
        return inner === undefined ? [] : Array.isArray(inner) ? (inner as readonly Json[]) : [inner]
      }),
    [resource],
  )
  return values.length === 0 ? [null] : values
}

/** Values of different types are never equal, and neither before nor after each other. */
function compare(left: Json, by: Exclude<Comparison, 'ne'>, right: Json): boolean {
  if (by === 'eq') return left === right
  const isOrdered =
    (typeof left === 'string' && typeof right === 'string') ||
    (typeof left === 'number' && typeof right === 'number')
  if (!isOrdered) return false
  switch (by) {
    case 'gt':
      return left > right
    case 'ge':
      return left >= right
    case 'lt':
      return left < right
    case 'le':
      return left <= right
  }
}
