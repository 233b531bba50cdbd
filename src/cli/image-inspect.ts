import { createReadStream } from 'node:fs'
import { loadMachine } from '../bmc/mockup-folder.ts'
import {
  describeImageProblem,
  type Fits,
  type ImageComponent,
  type ImageContents,
  type ImageSignature,
} from '../image/image-format.ts'
import { inspectImage } from '../image/inspect.ts'
import { createDigests } from '../image/digests/stream-digests.ts'
import { systemClock } from '../lib/clock.ts'
import type { Terminal } from './terminal.ts'

/** How a file is looked at. */
export interface InspectedBy {
  /** By whose rules the version in a raw binary is found. */
  readonly machine?: string
  readonly maxImageSize: number
}

type Fact = readonly [label: string, value: string | number | undefined]

/** `redflash image inspect`: what is in an image, or why it cannot be used. */
export async function inspect(file: string, { out, err }: Terminal, by: InspectedBy): Promise<number> {
  const rawRules = by.machine === undefined ? [] : loadMachine(by.machine).rawRules
  const reader = inspectImage(createDigests(systemClock), { maxBytes: by.maxImageSize, rawRules })
  for await (const chunk of createReadStream(file)) await reader.write(chunk as Uint8Array)
  const contents = await reader.end()
  if (!contents.ok) {
    err.write(`${file}: ${describeImageProblem(contents.problem)}\n`)
    return 1
  }
  const { components } = contents.value
  out.write(`${file}: ${headline(contents.value)}, ${components.length} component(s)\n`)
  out.write(lines([...contents.value.signatures.map(signatureFact), ['for', contents.value.machine]]))
  for (const component of components) out.write(`${component.name}\n${lines(factsOf(component))}`)
  return 0
}

/** Which format it is: several are announced by the same name. */
const kinds: Readonly<Record<Fits['kind'], string>> = {
  software: 'update bundle',
  pldm: 'PLDM firmware package',
  capsule: 'UEFI capsule',
  openbmc: 'OpenBMC tarball',
  named: 'raw binary',
}

function headline({ format, encoding, components: [first] }: ImageContents): string {
  const name = first === undefined ? format : `${kinds[first.fits.kind]} (${format})`
  return encoding === undefined ? name : `${name}, ${encoding}`
}

function signatureFact({ form, keyName, component }: ImageSignature): Fact {
  const by = keyName === undefined ? form : `${form} by ${keyName}`
  return ['signature', component === undefined ? by : `${by}, of ${component}`]
}

function factsOf(component: ImageComponent): readonly Fact[] {
  const { version, sizeBytes, sha256, releaseDate, requires, activation, isForced } = component
  return [
    ['version', version],
    ...fitsFacts(component.fits),
    ['size', `${sizeBytes} bytes`],
    ['sha256', sha256],
    ['released', releaseDate],
    ['security', component.securityVersion],
    ['lowest', component.lowestVersion],
    ['stamp', component.comparisonStamp],
    ['activation', activation],
    ['forced', isForced === true ? 'yes' : undefined],
    ...requires.map(({ component: other, min }): Fact => ['requires', `${other} at least ${min}`]),
  ]
}

function fitsFacts(fits: Fits): readonly Fact[] {
  switch (fits.kind) {
    case 'software':
      return [['softwareId', fits.softwareId]]
    case 'pldm':
      return [
        ['component', `classification ${fits.classification}, identifier ${fits.identifier}`],
        ...fits.devices.map((descriptors): Fact => [
          'device',
          descriptors.map(({ type, data }) => `${type.toString(16).padStart(4, '0')}=${data}`).join(' '),
        ]),
      ]
    case 'capsule':
      return [
        ['imageType', fits.imageTypeId],
        ['instance', fits.hardwareInstance === 0n ? undefined : fits.hardwareInstance.toString()],
      ]
    case 'openbmc':
      return [
        ['machine', fits.machineName],
        ['purpose', fits.purpose],
      ]
    case 'named':
      return [['for', fits.component]]
  }
}

function lines(facts: readonly Fact[]): string {
  return facts
    .filter(([, value]) => value !== undefined)
    .map(([label, value]) => `  ${label.padEnd(11)}${value}\n`)
    .join('')
}
