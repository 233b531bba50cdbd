import { setTimeout as sleep } from 'node:timers/promises'
import { applyTimes } from '../../../src/redfish/apply-times.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { accepted, act, ask, type Client, type Deed, pushOf, resetOf, windowAt } from './client.ts'
import { idOf } from './ledger.ts'
import { look, membersOf } from './looking.ts'
import { componentIds } from './world.ts'

/** What somebody does who brings firmware to machines. */
export const errands: readonly Deed[] = [
  push,
  push,
  push,
  pull,
  async function pullKept(client) {
    const image = client.chance.of([...client.ledger.images.keys()])
    if (image !== undefined) await simpleUpdate(client, `${image}/ImageData`, askOf(client))
  },
  async function startUpdate(client) {
    await ask(client, act(uris.updateService, 'UpdateService.StartUpdate'))
  },
  async function activate(client) {
    const answer = await ask(client, { url: `${uris.firmwareInventory}?$expand=.` })
    const offered = membersOf(answer?.json ?? {}).filter((one) =>
      JSON.stringify(one['Actions'] ?? {}).includes('SoftwareInventory.Activate'),
    )
    const uri = client.chance.of(offered.map((one) => idOf(one)))
    if (uri !== undefined) await ask(client, act(uri, 'SoftwareInventory.Activate'))
  },
  async function reset(client) {
    const isOfSystem = client.chance.is(0.7)
    await ask(client, isOfSystem ? resetOf(uris.system('1')) : resetOf(uris.manager('1'), 'GracefulRestart'))
  },
  async function moveWindow(client) {
    await ask(client, windowAt(Date.now() + client.chance.below(2_000) - 1_000, 60))
  },
  async function deleteKept(client) {
    const { ledger, chance } = client
    const uri = chance.of([...ledger.images.keys()])
    if (uri === undefined || chance.is(0.5)) return
    ledger.mayBeGone.add(uri)
    const answer = await ask(client, { method: 'DELETE', url: uri })
    if (answer?.status === 204) ledger.facts.set(uri, [undefined])
    if (answer?.status === 204) ledger.images.delete(uri)
  },
  async function watch(client) {
    await look(client.world, client.slot, client.ledger)
    const answer = await ask(client, { url: uris.localImages })
    for (const one of membersOf(answer?.json ?? {})) {
      const uri = idOf(one)
      const { ledger } = client
      if (!ledger.images.has(uri) && !ledger.mayBeGone.has(uri)) ledger.images.set(uri, undefined)
    }
  },
  () => sleep(30),
]

async function push(client: Client): Promise<void> {
  const { world, chance } = client
  const first = chance.of(componentIds) ?? ''
  const second = chance.of(componentIds) ?? ''
  const image = await world.makeImage(chance.is(0.3) && first !== second ? [first, second] : [first])
  const answer = await ask(client, pushOf(image, askOf(client)))
  accepted(client, answer, 'a push')
}

async function pull(client: Client): Promise<void> {
  const image = await client.world.makeImage([client.chance.of(componentIds) ?? ''])
  await simpleUpdate(client, client.world.offer(image), askOf(client))
}

async function simpleUpdate(client: Client, ImageURI: string, asked: JsonObject): Promise<void> {
  const answer = await ask(
    client,
    act(uris.updateService, 'UpdateService.SimpleUpdate', { ImageURI, ...asked }),
  )
  accepted(client, answer, `SimpleUpdate of ${ImageURI}`)
}

function askOf({ chance }: Client): JsonObject {
  return {
    ForceUpdate: true,
    '@Redfish.OperationApplyTime': chance.is(0.5) ? 'Immediate' : chance.of(applyTimes),
    ...(chance.is(0.25) && { LocalImage: true }),
    ...(chance.is(0.1) && { Stage: true }),
  }
}
