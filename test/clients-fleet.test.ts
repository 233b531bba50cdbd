import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findComponent } from '../src/bmc/bmc.ts'
import { createEmulator } from '../src/index.ts'
import { uris } from '../src/redfish/uris.ts'
import { PASSWORD } from './support/emulator.ts'
import { sendImage, serveHttp } from './support/image-server.ts'
import { bundleOf } from './support/images.ts'
import { absent, PATIENCE_MS, PYTHON, run, works } from './support/programs.ts'
import { isProof } from './support/sample.ts'
import { filesBelow, temporaryFolder } from './support/wire.ts'

const PROCESSES = 3
/** All of three hundred before an issue is resolved. */
const BMCS_EACH = isProof ? 100 : 20
/** The update of a NIC takes a second: they are all under way at the same time. */
const SPEED = 20
const OLD = '22.41.1000'
const NEW = '99.1.0'
const NIC_1 = uris.firmware('NIC-1')
const image = await bundleOf({ 'NIC-1': NEW })
const hasSushy = works(PYTHON, ['-c', 'import sushy'])

/**
 * Has every service fetch the image, follows all tasks, and prints how many run the new version then. What a service is
 * asked for is the Task: that client's own check takes any Task that answers 200 for one that has ended.
 */
const SUSHY = `
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
import sushy
from sushy import auth
image, new, *urls = sys.argv[1:]
def start(url):
    service = sushy.Sushy(url, auth=auth.SessionAuth('admin', '${PASSWORD}')).get_update_service()
    return service, service.simple_update(image, targets=['${NIC_1}'], transfer_protocol='HTTP')
def follow(started):
    service, monitor = started
    while monitor.get_task().end_time is None:
        time.sleep(0.5)
    return service.firmware_inventory.get_member('${NIC_1}').version == new
with ThreadPoolExecutor(10) as pool:
    print(json.dumps({'good': sum(pool.map(follow, list(pool.map(start, urls))))}))
`

/** Many BMCs, each with an address of its own. */
async function startFleet() {
  const spool = await temporaryFolder()
  const fleet = await createEmulator({ bmcs: PROCESSES * BMCS_EACH, https: false, speed: SPEED, spool })
  onTestFinished(() => fleet.close())
  const urls = fleet.bmcs.flatMap((bmc) => fleet.urlsOf(bmc).flatMap(({ url }) => url ?? []))
  const shares = Array.from({ length: PROCESSES }, (_, n) => urls.slice(n * BMCS_EACH, (n + 1) * BMCS_EACH))
  expect(new Set(shares.flat()).size).toBe(PROCESSES * BMCS_EACH)
  const versions = () => new Set(fleet.bmcs.map((bmc) => findComponent(bmc, 'NIC-1')?.now.version))
  expect(versions()).toEqual(new Set([OLD]))
  return { bmcs: fleet.bmcs, shares, versions, spooled: () => filesBelow(spool) }
}

/** What each process prints. */
const allGood = Array.from({ length: PROCESSES }, () => ({ good: BMCS_EACH }))

/** The BMCs say so too. */
async function expectUpdated({
  bmcs,
  versions,
  spooled,
}: Awaited<ReturnType<typeof startFleet>>): Promise<void> {
  expect(versions()).toEqual(new Set([NEW]))
  for (const { state } of bmcs) {
    expect([...state.tasks.values()].map((task) => task.state)).toEqual(['Completed'])
  }
  await expect.poll(spooled).toEqual([])
}

test.skipIf(!hasSushy)(
  `sushy in three processes has ${PROCESSES * BMCS_EACH} BMCs updated at once${absent(hasSushy, 'python3-sushy')}`,
  async () => {
    const fleet = await startFleet()
    const { uri } = await serveHttp((_request, response) => sendImage(response, image))
    const printed = fleet.shares.map((urls) => run(PYTHON, ['-c', SUSHY, uri.href, NEW, ...urls]))
    expect((await Promise.all(printed)).map((text) => JSON.parse(text) as unknown)).toEqual(allGood)
    await expectUpdated(fleet)
  },
  2 * PATIENCE_MS,
)

test(
  `our own client in three processes updates ${PROCESSES * BMCS_EACH} BMCs at once`,
  async () => {
    const fleet = await startFleet()
    const file = join(await temporaryFolder(), 'update.tar')
    await writeFile(file, image)
    const script = resolve(import.meta.dirname, 'support/fleet-pusher.ts')
    const printed = fleet.shares.map((urls) => run(process.execPath, [script, file, ...urls]))
    expect((await Promise.all(printed)).map((text) => JSON.parse(text) as unknown)).toEqual(allGood)
    await expectUpdated(fleet)
  },
  2 * PATIENCE_MS,
)
