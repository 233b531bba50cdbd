import type { Row } from '../bmc/bmc.ts'
import type { Params } from '../redfish/resource-table.ts'

/** The row that serves a path, and what the path's parameters are. */
export interface FoundRow {
  readonly row: Row
  readonly params: Params
}

interface Node {
  readonly fixed: Map<string, Node>
  /** Rows may name the same parameter differently: its name is the row's. */
  parameter: Node | undefined
  wildcard: Row | undefined
  row: Row | undefined
}

/** Finds rows by path as the router does (a fixed segment before a parameter before the rest), outside of a request. */
export function indexRows(rows: readonly Row[]): (path: string) => FoundRow | undefined {
  const root = createNode()
  for (const row of rows) add(root, row)
  return (path) => {
    const segments = path.split('/').map(decoded)
    return segments.includes(undefined) ? undefined : find(root, segments.map(String), [])
  }
}

function createNode(): Node {
  return { fixed: new Map(), parameter: undefined, wildcard: undefined, row: undefined }
}

function add(root: Node, row: Row): void {
  let node = root
  for (const segment of row.path.split('/')) {
    if (segment === '*') {
      node.wildcard = row
      return
    }
    node = segment.startsWith(':') ? (node.parameter ??= createNode()) : fixedNode(node, segment)
  }
  node.row = row
}

function fixedNode({ fixed }: Node, segment: string): Node {
  const node = fixed.get(segment) ?? createNode()
  fixed.set(segment, node)
  return node
}

function find(node: Node, segments: readonly string[], values: readonly string[]): FoundRow | undefined {
  const [first, ...rest] = segments
  const { fixed, parameter, wildcard, row } = node
  if (first === undefined) return row && { row, params: named(row, values) }
  const next = fixed.get(first)
  return (
    (next && find(next, rest, values)) ??
    (parameter && first !== '' ? find(parameter, rest, [...values, first]) : undefined) ??
    (wildcard && { row: wildcard, params: { ...named(wildcard, values), '*': segments.join('/') } })
  )
}

function named(row: Row, values: readonly string[]): Params {
  const names = row.path.split('/').filter((segment) => segment.startsWith(':'))
  return Object.fromEntries(names.map((name, index) => [name.slice(1), values[index] ?? '']))
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined // a broken escape, which no path has
  }
}
