import type { Command } from 'commander'
import type { Finish, Terminal } from './terminal.ts'

/** `redflash data check`, `redflash data export` and `redflash data import`. */
export function addDataCommand(program: Command, terminal: Terminal, finish: Finish): void {
  const data = program.command('data').description('look at what serve --data keeps, and carry it elsewhere')
  data
    .command('check')
    .description('tell what is in a folder, and whether it can be relied on')
    .argument('<folder>')
    .action(async (folder: string) => {
      const { check } = await import('./data-folder.ts')
      finish(await check(folder, terminal.out))
    })
  data
    .command('export')
    .description(
      'print every record as a line of JSON, without the images. Secrets are among them: hashes of passwords, private keys',
    )
    .argument('<folder>')
    .action(async (folder: string) => {
      const { exportData } = await import('./data-folder.ts')
      await exportData(folder, terminal.out)
    })
  data
    .command('import')
    .description('read what export printed from standard input, into a folder that has nothing in it yet')
    .argument('<folder>')
    .action(async (folder: string) => {
      const { importData } = await import('./data-folder.ts')
      terminal.out.write(`${await importData(folder, terminal.in)} record(s)\n`)
    })
}
