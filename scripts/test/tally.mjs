// Counts of a whole test run: prints each part as it ends, repeats the failures, and closes with the one line that machines read.

export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  failures = [];

  pass(name, seconds, count = 1) {
    this.passed += count;
    console.log(`  ok    ${name}${count === 1 ? '' : ` (${count})`} ${seconds.toFixed(1)} s`);
  }

  fail(name, output, count = 1) {
    this.failed += count;
    this.failures.push(name);
    console.log(`  FAIL  ${name}\n${output.trimEnd().replace(/^/gm, '    ')}`);
  }

  skip(name, reason, count = 1) {
    this.skipped += count;
    console.log(`  skip  ${name}: ${reason}`);
  }

  finish() {
    if (this.failures.length > 0) console.log(`\nfailed: ${this.failures.join(', ')}`);
    if (this.passed === 0 && this.failed === 0) {
      this.failed = 1;
      console.log('\nno test ran');
    }
    console.log(`\n${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}
