#!/usr/bin/env -S node --max-semi-space-size=1
import { main } from '../cli/main.ts';

await main(process.argv.slice(2));
