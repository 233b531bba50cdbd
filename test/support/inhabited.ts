import { isObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestEmulator, type TestOptions } from './emulator.ts'
import { bundleOf } from './images.ts'
import { push } from './multipart.ts'

/** An emulator where every kind of resource has an example: a session, a subscription, an update done and logged. */
export async function startInhabited(options: TestOptions = {}): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  const body = { UserName: 'admin', Password: PASSWORD }
  await emulator.send(uris.sessions, { method: 'POST', user: null, body })
  // Not to be reached by the configuration: it is there, and never contacted.
  const destination = { Destination: 'https://192.0.2.1/events', Protocol: 'Redfish' }
  await emulator.send(uris.eventDestinations, { method: 'POST', body: destination })
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  await emulator.clock.advance(60_000)
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

function fits(path: string, uri: string): boolean {
  const [wanted, given] = [path.split('/'), uri.split('/')]
  if (wanted.length !== given.length && wanted.at(-1) !== '*') return false
  return wanted.every(
    (segment, index) => segment === '*' || segment.startsWith(':') || segment === given[index],
  )
}

/** References, and where a MessageRegistryFile says that its registry is. */
function linksOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => linksOf(item))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) =>
    (name === '@odata.id' || name === 'Uri') && typeof member === 'string' ? [member] : linksOf(member),
  )
}
