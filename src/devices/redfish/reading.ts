import { isObject, type JsonObject, linkUris } from '../../redfish/resource.ts'
import { type Connection, linkIn, pathOf } from './connection.ts'
import { DeviceError } from '../device-error.ts'
import { answerProblem } from './problems.ts'

/** So many requests to a device at a time: BMCs are small. */
const PARALLEL = 4
/** Nothing that has more is a collection of ours. */
const MAX_MEMBERS = 2_000
/** What is not there, though it is linked to. */
const absent = new Set([404, 405, 410, 501])

/** A resource that must be there. */
export async function read({ client }: Connection, path: string): Promise<JsonObject> {
  const answer = await client.get(path)
  if (answer.status !== 200) throw new DeviceError(answerProblem(`GET ${path}`, answer))
  return answer.body
}

/** A resource that need not be there; only who may not ask is told so. */
export async function readIfThere({ client }: Connection, path: string): Promise<JsonObject | undefined> {
  const answer = await client.get(path)
  if (answer.status === 401) throw new DeviceError(answerProblem(`GET ${path}`, answer))
  return answer.status === 200 ? answer.body : undefined
}

/** The members of a collection, in its order; those that cannot be read are passed over. One that is not there has none. */
export async function readMembers(
  connection: Connection,
  collection: string | undefined,
): Promise<JsonObject[]> {
  if (collection === undefined) return []
  const found = await listMembers(connection, collection)
  const members = await sideBySide(found, async (member) =>
    isWhole(member) ? member : readIfThere(connection, pathOf(member)),
  )
  return members.filter((member) => member !== undefined)
}

/** The items of its firmware inventory, also those that stand by. */
export async function readItems(connection: Connection): Promise<JsonObject[]> {
  const service = linkIn(connection.root, 'UpdateService')
  const update = service === undefined ? undefined : await readIfThere(connection, service)
  return readMembers(connection, linkIn(update, 'FirmwareInventory'))
}

/** Links or, where the service puts them in, whole members; of all pages. */
async function listMembers(connection: Connection, collection: string): Promise<JsonObject[]> {
  const members = new Map<string, JsonObject>()
  const seen = new Set<string>()
  let next: string | undefined = collection
  while (next !== undefined && !seen.has(next) && members.size < MAX_MEMBERS) {
    seen.add(next)
    const page: JsonObject | undefined = await readPage(connection, next, next === collection)
    if (page === undefined) break
    const list = Array.isArray(page['Members']) ? page['Members'] : []
    for (const member of list) {
      const [uri] = linkUris([member])
      if (uri !== undefined && isObject(member)) members.set(uri, member)
    }
    const more: unknown = page['Members@odata.nextLink']
    next = typeof more === 'string' ? more : undefined
  }
  return [...members.values()].slice(0, MAX_MEMBERS)
}

/** The pages after the first one are asked for as the service says. */
async function readPage(
  connection: Connection,
  path: string,
  isFirst: boolean,
): Promise<JsonObject | undefined> {
  const query = isFirst ? expandQuery(connection.root) : undefined
  if (query !== undefined) {
    // Some announce it and fail at it.
    const expanded = await readIfThere(connection, `${path}?${query}`)
    if (Array.isArray(expanded?.['Members'])) return expanded
  }
  const answer = await connection.client.get(path)
  if (answer.status === 200) return answer.body
  if (isFirst && absent.has(answer.status)) return undefined
  throw new DeviceError(answerProblem(`GET ${path}`, answer))
}

/** How a collection is asked for together with its members (DSP0266 §7.3.5), where the service knows how. */
function expandQuery(root: JsonObject): string | undefined {
  const features = root['ProtocolFeaturesSupported']
  const offered = isObject(features) ? features['ExpandQuery'] : undefined
  if (!isObject(offered)) return undefined
  const which = offered['NoLinks'] === true ? '.' : offered['ExpandAll'] === true ? '*' : undefined
  return which && `$expand=${which}${offered['Levels'] === true ? '($levels=1)' : ''}`
}

function isWhole(member: JsonObject): boolean {
  return 'Id' in member
}

/** What `work` makes of each, some at a time. */
async function sideBySide<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let at = 0
  const walk = async (): Promise<void> => {
    for (let own = at++; own < items.length; own = at++) {
      const item = items[own]
      if (item !== undefined) results[own] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, walk))
  return results
}
