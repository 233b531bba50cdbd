import type { Row } from '../bmc/bmc.ts'
import type { Params } from '../redfish/resource-table.ts'

/** What serves a path, and what the path's parameters are. */
export interface Found<T> {
  readonly value: T
  readonly params: Params
}

export type Find<T> = (path: string) => Found<T> | undefined
export type FindRow = Find<Row>

interface Place<T> {
  readonly value: T
  /** Two paths may name the same parameter differently: its name is the path's. */
  readonly names: readonly string[]
}

interface Node<T> {
  readonly fixed: Map<string, Node<T>>
  parameter: Node<T> | undefined
  /** What serves whatever is below. */
  rest: Place<T> | undefined
  place: Place<T> | undefined
}

/**
 * Finds by path: a fixed segment before a parameter before the rest of a path. The index is made when it is first
 * asked, from what is there by then.
 */
export function indexPaths<T extends { readonly path: string }>(values: () => readonly T[]): Find<T> {
  let root: Node<T> | undefined
  return (path) => {
    root ??= treeOf(values())
    const segments = segmentsOf(path)
    return segments && find(root, { segments, at: 0 }, [])
  }
}

function treeOf<T extends { readonly path: string }>(values: readonly T[]): Node<T> {
  const root = createNode<T>()
  for (const value of values) add(root, value)
  return root
}

function createNode<T>(): Node<T> {
  return { fixed: new Map(), parameter: undefined, rest: undefined, place: undefined }
}

function add<T extends { readonly path: string }>(root: Node<T>, value: T): void {
  const segments = value.path.split('/')
  const names = segments.filter((segment) => segment.startsWith(':')).map((segment) => segment.slice(1))
  const place = { value, names }
  let node = root
  for (const segment of segments) {
    if (segment === '*') {
      node.rest = place
      return
    }
    node = segment.startsWith(':') ? (node.parameter ??= createNode()) : fixedNode(node, segment)
  }
  if (node.place !== undefined) throw new Error(`two serve ${value.path}`)
  node.place = place
}

function fixedNode<T>({ fixed }: Node<T>, segment: string): Node<T> {
  const node = fixed.get(segment) ?? createNode()
  fixed.set(segment, node)
  return node
}

/** The segments of a path, and how many of them are found already. */
interface Way {
  readonly segments: readonly string[]
  readonly at: number
}

function find<T>(node: Node<T>, { segments, at }: Way, values: readonly string[]): Found<T> | undefined {
  const { fixed, parameter, rest, place } = node
  const segment = segments[at]
  if (segment === undefined) return place && foundAt(place, values)
  const next = { segments, at: at + 1 }
  const below = fixed.get(segment)
  return (
    (below && find(below, next, values)) ??
    (parameter && segment !== '' ? find(parameter, next, [...values, segment]) : undefined) ??
    (rest && foundAt(rest, values, segments.slice(at).join('/')))
  )
}

function foundAt<T>({ value, names }: Place<T>, values: readonly string[], rest?: string): Found<T> {
  const params: Record<string, string> = {}
  names.forEach((name, index) => (params[name] = values[index] ?? ''))
  if (rest !== undefined) params['*'] = rest
  return { value, params }
}

/** Without their escapes; none where one is broken, which no path has. */
function segmentsOf(path: string): readonly string[] | undefined {
  const segments = path.split('/')
  if (!path.includes('%')) return segments
  try {
    return segments.map(decodeURIComponent)
  } catch {
    return undefined
  }
}
