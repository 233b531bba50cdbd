import { type Command, InvalidArgumentError, Option } from 'commander'
import type { BuilderName } from '../image/build/builders.ts'
import { activationMethods, type Requirement } from '../image/image-format.ts'
import { parseSize } from '../lib/size.ts'
import type { BuildOptions, Wanted } from './image-order.ts'
import type { InspectedBy } from './image-inspect.ts'
import type { Finish, Terminal } from './terminal.ts'

const builderNames: readonly BuilderName[] = ['bundle', 'pldm', 'capsule', 'openbmc']
/** What builds and signs images is loaded when somebody wants one: no start waits for it. */
const builds = () => import('./image-build.ts')

interface ImageOptions extends BuildOptions {
  readonly format: BuilderName
  readonly output: string
}

/** `redflash image build`, `redflash image defects` and `redflash image inspect`. */
export function addImageCommand(program: Command, terminal: Terminal, finish: Finish): void {
  const image = program.command('image').description('make and look at update images')
  addBuildCommand(image, terminal)
  image
    .command('defects')
    .description('list what can be made wrong with an image, and what its update then tells')
    .addOption(formatOption())
    .action(async ({ format }: Pick<ImageOptions, 'format'>) => {
      terminal.out.write((await builds()).describeDefects(format))
    })
  image
    .command('inspect')
    .description('print what is in an image')
    .argument('<file>')
    .option('--machine <name|folder>', 'machine by whose rules the version in a raw binary is found')
    .option(
      '--max-image-size <size>',
      'what a compressed image may unpack to',
      parseSizeOption,
      2_047 * 2 ** 20,
    )
    .action(async (file: string, options: InspectedBy) => {
      const { inspect } = await import('./image-inspect.ts')
      finish(await inspect(file, terminal, options))
    })
}

function addBuildCommand(image: Command, terminal: Terminal): void {
  image
    .command('build')
    .description('make an update image whose firmware is made up')
    .requiredOption('--component <id=version>', 'a component and its new version; may be repeated', wanted)
    .addOption(formatOption())
    .option('--size <size>', 'size of each component’s firmware', parseSizeOption, 2 ** 20)
    .option('--machine <name|folder>', 'machine whose components these are', 'rackmount')
    .option(
      '--software-id <id=softwareId>',
      'a component that the machine need not have, by its SoftwareId',
      named,
    )
    .option('--model <model>', 'model of the only machines that it is for (bundle)')
    .option('--requires <id=version>', 'a component and the version that it must have (bundle)', required)
    .option('--security-version <number>', 'security version of the firmware (bundle)', parseNumber)
    .option('--lowest-version <version>', 'no older version runs afterwards (capsule)')
    .option('--force', 'have it installed where the policy would skip it (bundle, pldm)')
    .addOption(
      new Option('--activation <method>', 'what makes it run (bundle, pldm; capsule: system-reboot)').choices(
        activationMethods,
      ),
    )
    .option('--key <file>', 'private key (PEM) that signs the image')
    .option('--certificate <file>', 'certificate chain (PEM) of the key, for a CMS signature')
    .option('--option <name=value>', 'what only one format knows; may be repeated', named)
    .option('--break <defect>', 'make something wrong with it: see redflash image defects')
    .requiredOption('-o, --output <file>', 'file to write')
    .action(async (options: ImageOptions) => {
      const { format, component, output } = options
      await (await builds()).buildImage(format, options, output)
      terminal.out.write(
        `${output}: ${component.map(({ name, version }) => `${name} ${version}`).join(', ')}\n`,
      )
    })
}

function formatOption(): Option {
  return new Option('--format <format>', 'format of the image').choices(builderNames).default('bundle')
}

function pairOf(text: string, hint = 'Id=version, as in NIC-1=22.42.1'): readonly [string, string] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError(`Write ${hint}.`)
  return [name, value]
}

function wanted(text: string, before: readonly Wanted[] = []): Wanted[] {
  const [name, version] = pairOf(text)
  return [...before, { name, version }]
}

function required(text: string, before: readonly Requirement[] = []): Requirement[] {
  const [component, min] = pairOf(text)
  return [...before, { component, min }]
}

function named(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value] = pairOf(text, 'name=value, as in version=1.3')
  return { ...before, [name]: value }
}

function parseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Write a number.')
  return Number(text)
}

function parseSizeOption(text: string): number {
  const size = parseSize(text)
  if (size === undefined)
    throw new InvalidArgumentError('Write a number of bytes, or one with KiB, MiB or GiB.')
  return size
}
