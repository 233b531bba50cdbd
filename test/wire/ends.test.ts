import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { Chance } from '../support/kills/chance.ts'
import { accepted, pushOf, resetOf } from '../support/kills/client.ts'
import { expectNoImages } from '../support/kills/ending.ts'
import { clientOf } from '../support/kills/lives.ts'
import { judge, judgeFolder, look } from '../support/kills/looking.ts'
import { startLife } from '../support/kills/service.ts'
import { createWorld } from '../support/kills/world.ts'

const PATIENT = { timeout: 20_000 }

test.each([
  ['SIGTERM', 'normal'],
  ['SIGKILL', 'off'],
  ['SIGKILL', 'normal'],
  ['SIGKILL', 'full'],
] as const)('an update that waits goes on after %s, kept with sync %s', async (signal, sync) => {
  const world = await createWorld(1)
  world.life = await startLife(world.folder, { bmcs: 1, sync })
  const client = clientOf(world, new Chance(1), 0)
  const image = await world.makeImage(['BIOS'])
  accepted(client, await world.ask(0, pushOf(image, { ForceUpdate: true })), 'the push')
  const waits = async (): Promise<boolean> => {
    await look(world, 0, client.ledger)
    return [...client.ledger.works.values()].some(
      ({ state, messages }) => state === 'UserIntervention' && messages.join().includes('ResetRequired'),
    )
  }
  await expect.poll(waits, PATIENT).toBe(true)
  // What waits for its reset is on its device; what waits for its window needs its image.
  const later = await world.makeImage(['NIC-1'])
  const asked = { '@Redfish.OperationApplyTime': 'OnReset' }
  accepted(client, await world.ask(0, pushOf(later, asked)), 'the other push')
  await expect.poll(() => judgeFolder(world), PATIENT).toContain(later.sha256)
  const { code, said } = await world.life.kill(signal)
  expect([code, said]).toEqual([signal === 'SIGTERM' ? 0 : null, ''])
  expect(await judgeFolder(world)).toContain(later.sha256)

  world.life = await startLife(world.folder, { bmcs: 1, sync })
  await judge(world, 0)
  expect(await waits()).toBe(true)
  expect((await world.ask(0, resetOf(uris.system('1'))))?.status).toBe(204)
  const version = async (id: string) => (await world.ask(0, { url: uris.firmware(id) }))?.json['Version']
  await expect.poll(() => version('BIOS'), PATIENT).toBe(image.versions['BIOS'])
  await expect.poll(() => version('NIC-1'), PATIENT).toBe(later.versions['NIC-1'])
  await expectNoImages(world)
  world.expectNothingWrong('after the restart')
})
