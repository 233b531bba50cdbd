import { type Command, InvalidArgumentError } from 'commander'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { loadMachine } from '../bmc/mockup-folder.ts'
import { parseSize } from '../lib/size.ts'
import { buildBundle, type BundleComponent } from '../image/build-bundle.ts'
import { inspectImage } from '../image/inspect.ts'
import { describeImageProblem } from '../image/image-format.ts'
import type { Finish, Terminal } from './terminal.ts'

interface Wanted {
  readonly name: string
  readonly version: string
}

/** `redflash image build` and `redflash image inspect`. */
export function addImageCommand(program: Command, terminal: Terminal, finish: Finish): void {
  const image = program.command('image').description('make and look at update images')
  image
    .command('build')
    .description('make an update bundle whose firmware is made up')
    .requiredOption('--component <id=version>', 'a component and its new version; may be repeated', collect)
    .option('--size <size>', 'size of each component’s firmware', parseSizeOption, 2 ** 20)
    .option('--machine <name|folder>', 'machine whose components these are', 'rackmount')
    .requiredOption('-o, --output <file>', 'file to write')
    .action(async ({ component, size, machine, output }: BuildOptions) => {
      await writeBundle(bundleComponents(component, size, machine), output)
      terminal.out.write(
        `${output}: ${component.map(({ name, version }) => `${name} ${version}`).join(', ')}\n`,
      )
    })
  image
    .command('inspect')
    .description('print what is in an image')
    .argument('<file>')
    .action(async (file: string) => finish(await inspect(file, terminal)))
}

interface BuildOptions {
  readonly component: readonly Wanted[]
  readonly size: number
  readonly machine: string
  readonly output: string
}

/** What a bundle for these components of a machine holds. Throws when the machine has no such component. */
export function bundleComponents(
  wanted: readonly Wanted[],
  sizeBytes: number,
  machine: string,
): BundleComponent[] {
  const { components } = loadMachine(machine)
  const found = wanted.map(({ name, version }) => {
    const facts = components.get(name)
    if (facts === undefined)
      throw new Error(`${machine} has no component ${name}; it has ${[...components.keys()].join(', ')}`)
    return { name, version, softwareId: facts.softwareId, sizeBytes }
  })
  const twins = found.find(
    (one, index) => found.findIndex((other) => other.softwareId === one.softwareId) < index,
  )
  if (twins !== undefined)
    throw new Error(`${twins.name} takes the same firmware as another of the components: name one of them`)
  return found
}

/** Writes a bundle, whole or not at all. */
export async function writeBundle(components: readonly BundleComponent[], file: string): Promise<void> {
  try {
    await pipeline(buildBundle(components), createWriteStream(file))
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
}

async function inspect(file: string, { out, err }: Terminal): Promise<number> {
  const reader = inspectImage()
  for await (const chunk of createReadStream(file)) await reader.write(chunk as Uint8Array)
  const contents = await reader.end()
  if (!contents.ok) {
    err.write(`${file}: ${describeImageProblem(contents.problem)}\n`)
    return 1
  }
  const { format, components } = contents.value
  out.write(`${file}: ${format} bundle, ${components.length} component(s)\n`)
  for (const { name, version, softwareId, sizeBytes, sha256, releaseDate, requires } of components) {
    const facts = [
      ['version', version],
      ['softwareId', softwareId],
      ['size', `${sizeBytes} bytes`],
      ['sha256', sha256],
      ['released', releaseDate],
      ...requires.map(({ component, min }) => ['requires', `${component} at least ${min}`]),
    ]
    const lines = facts
      .filter(([, value]) => value !== undefined)
      .map(([label, value]) => `  ${label?.padEnd(11)}${value}\n`)
    out.write(`${name}\n${lines.join('')}`)
  }
  return 0
}

function collect(text: string, before: readonly Wanted[] = []): Wanted[] {
  const [, name, version] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || version === undefined)
    throw new InvalidArgumentError('Write Id=version, as in NIC-1=22.42.1.')
  return [...before, { name, version }]
}

function parseSizeOption(text: string): number {
  const size = parseSize(text)
  if (size === undefined)
    throw new InvalidArgumentError('Write a number of bytes, or one with KiB, MiB or GiB.')
  return size
}
