import type { ComponentOrder } from '../../../src/image/build/builder.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { NIC_1, nicImage } from '../device-stages.ts'
import { serveHttp } from '../image-server.ts'
import { bundleOf } from '../images.ts'
import { push } from '../multipart.ts'
import { beginPull, untilFetched } from '../pulls.ts'
import type { Failure } from './failure.ts'

const NIC_2 = uris.firmware('NIC-2')
const FORCE = { ForceUpdate: true }
const lowest = await bundleOf({ 'NIC-1': '22.36.999' })
const nic = (version: string, extra: Partial<ComponentOrder> = {}) => bundleOf({ 'NIC-1': version }, extra)

/** The last byte of firmware stands before the two empty blocks that end a tar. */
const tampered = Buffer.from(nicImage)
tampered.writeUInt8(255 - nicImage.readUInt8(nicImage.length - 1_025), nicImage.length - 1_025)

/** An image that came and is not used: the parameters, what the task tells of it, how it ends. */
type Useless = readonly [what: string, image: Buffer, JsonObject, readonly string[], task: string]

const broken = (why: string, said: string): string[] => [
  `Update.VerificationFailed(update.tar, ${uris.updateService})`,
  `Redflash.${why}(update.tar, ${said})`,
]
const half = nicImage.subarray(0, nicImage.length / 2)
const found = 'Update.AllTargetsDetermined'
const skipped = (key: string, image: string): string[] => [`Update.${key}(${NIC_1}, NIC-1 ${image})`, found]

const useless: readonly Useless[] = [
  [
    'of another digest than it says',
    tampered,
    {},
    broken('ImageDigestMismatch', 'NIC-1'),
    'Exception Critical',
  ],
  [
    'cut short',
    half,
    {},
    broken('ImageMalformed', `it ends early, after ${half.length} bytes`),
    'Exception Critical',
  ],
  [
    'for nothing that is here',
    await bundleOf({ 'GPU-1': '1.0.0' }),
    {},
    ['Update.NoTargetsDetermined(GPU-1 1.0.0)'],
    'Exception Critical',
  ],
  [
    'for what is excluded',
    nicImage,
    { ExcludeTargets: [NIC_1] },
    ['Update.NoTargetsDetermined(update.tar)'],
    'Exception Critical',
  ],
  [
    'of the version that runs',
    await nic('22.41.1000'),
    {},
    skipped('UpdateSkippedSameVersion', '22.41.1000'),
    'Completed OK',
  ],
  ['of an older version', await nic('22.40.0'), {}, skipped('UpdateSkipped', '22.40.0'), 'Completed OK'],
  ...[{}, FORCE].map((parameters): Useless => [
    `below the lowest version, with ${JSON.stringify(parameters)}`,
    lowest,
    parameters,
    skipped('UpdateSkippedVersionTooLow', '22.36.999'),
    'Completed OK',
  ]),
  [
    'not for the target that is named',
    nicImage,
    { Targets: [NIC_2] },
    [`Update.UpdateNotApplicable(NIC-1 22.42.1, ${NIC_2})`, found],
    'Completed Warning',
  ],
  [
    'that requires what is not here',
    await nic('22.42.1', { requires: [{ component: 'BIOS', min: '9' }] }),
    FORCE,
    [
      `Update.UpdateNotApplicable(NIC-1 22.42.1, ${NIC_1})`,
      `Redflash.RequirementNotMet(NIC-1 22.42.1, ${NIC_1}, BIOS, 9)`,
      found,
    ],
    'Completed Warning',
  ],
]

/** Stage 2: the image is here, and nothing is done with it; the same for a push and a pull. */
export const noUse: readonly Failure[] = [
  ...useless.flatMap(([what, image, parameters, told, task]): Failure[] => [
    {
      what: `an image, pushed, ${what}`,
      begin: async (emulator) => {
        await push(emulator, image, parameters)
        return {}
      },
      until: ({ clock }) => clock.advance(1),
      expected: { after: 'UpdateInProgress', told, task, monitor: monitorOf(task) },
    },
    {
      what: `an image, pulled, ${what}`,
      begin: async (emulator) => {
        const { origin } = await serveHttp((_request, response) => response.end(image))
        const uri = new URL('/update.tar', origin)
        await beginPull(emulator, { ImageURI: uri.href, ...parameters })
        return { uri }
      },
      until: (emulator) => untilFetched(emulator),
      expected: { after: 'UpdateInProgress', told, task, monitor: monitorOf(task) },
    },
  ]),
  {
    // Nobody knows where it came from: the message names the file.
    what: 'a pushed file that is no image',
    begin: async (emulator) => {
      await push(emulator, Buffer.from('<html>not found</html>'))
      return {}
    },
    until: ({ clock }) => clock.advance(1),
    expected: {
      after: 'UpdateInProgress',
      told: broken('ImageMalformed', 'it is of no format that is known here'),
      task: 'Exception Critical',
      monitor: 400,
    },
  },
]

function monitorOf(task: string): number {
  return task.startsWith('Exception') ? 400 : 200
}
