import { offersAction } from '../../src/http/mount.ts'
import { isObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestEmulator, type TestOptions } from './emulator.ts'
import { giveIdentity } from './identity.ts'
import { bundleOf } from './images.ts'
import { addJobWithStep } from './jobs.ts'
import { push } from './multipart.ts'

/** An emulator where every kind of resource has an example: a session, an image that is kept, its update, and so on. */
export async function startInhabited(options: TestOptions = {}): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  const body = { UserName: 'admin', Password: PASSWORD }
  await emulator.send(uris.sessions, { method: 'POST', user: null, body })
  // Not to be reached by the configuration: it is there, and never contacted.
  const destination = { Destination: 'https://192.0.2.1/events', Protocol: 'Redfish' }
  await emulator.send(uris.eventDestinations, { method: 'POST', body: destination })
  await giveIdentity(emulator)
  // Two devices: a task with sub-tasks.
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '1000000' }), { LocalImage: true })
  await push(emulator, await bundleOf({ BIOS: '1.9.0' }), { Stage: true })
  await emulator.clock.advance(60_000)
  addJobWithStep(emulator)
  return emulator
}

/** Every URI that links lead to from the service root. */
export async function linkedUris({ get }: TestEmulator): Promise<string[]> {
  const found = new Set<string>([uris.root])
  for (const uri of found) {
    for (const link of linksOf(await get(uri))) found.add(link.replace(/#.*/, '').replace(/\/$/, ''))
  }
  return [...found]
}

/** One URI for each row of the resource table, by the row's path; throws for a row that no link leads to. */
export async function exampleUris(emulator: TestEmulator): Promise<ReadonlyMap<string, string>> {
  const linked = await linkedUris(emulator)
  const paths = emulator.app.rows.map((row) => row.path)
  return new Map(
    paths.map((path) => {
      const uri = linked.find((one) => paths.find((other) => fits(other, one)) === path)
      if (uri === undefined) throw new Error(`no link leads to a resource of ${path}`)
      return [path, uri] as const
    }),
  )
}

/** The action as one of the row's resources offers it. */
export async function offeredAction(emulator: TestEmulator, path: string, action: string): Promise<string> {
  for (const uri of await linkedUris(emulator)) {
    if (fits(path, uri) && offersAction(await emulator.get(uri), action)) return uris.action(uri, action)
  }
  throw new Error(`no resource of ${path} offers ${action}`)
}

function fits(path: string, uri: string): boolean {
  const [wanted, given] = [path.split('/'), uri.split('/')]
  if (wanted.length !== given.length && wanted.at(-1) !== '*') return false
  return wanted.every(
    (segment, index) => segment === '*' || segment.startsWith(':') || segment === given[index],
  )
}

/** References, and where a MessageRegistryFile says that its registry is; a schema is no resource. */
function linksOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => linksOf(item))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) => {
    if (typeof member !== 'string') return linksOf(member)
    const isLink =
      name === '@odata.id' ||
      name === '@Redfish.ActionInfo' ||
      (name === 'Uri' && !member.startsWith(`${uris.oemSchemas}/`))
    return isLink ? [member] : []
  })
}
