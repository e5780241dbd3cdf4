# The results in Markdown.

reached = []


def head(name, redis):
    columns = ['work', 'req/s', '× plain', 'p50 ms', 'p99 ms',
               'worker CPU us a request', '× plain']

    if redis:
        columns += ['req/s × limit A', '× right way', 'worker CPU × limit A',
                    'Redis CPU us a request', 'in commands']

    titles(name, columns + ['bars'])


def titles(name, columns):
    print('\n### %s\n' % name)
    print('| %s |\n|%s' % (' | '.join(columns), '---|' * len(columns)),
          flush=True)


def cells(*words):
    print('| %s |' % ' | '.join(words), flush=True)


def line(title, taken, name, redis, bars):
    row = taken[name]

    def beside(other, field):
        return ('%.2f' % row.ratio(taken[other], field)
                if other in taken and other != name else '')

    words = [title, '%.0f' % row.median('rate'), beside('plain', 'rate'),
             '%.2f' % row.median('p50'), '%.2f' % row.median('p99'),
             '%.1f' % row.median('cpu'), beside('plain', 'cpu')]

    if redis:
        limit = 'limit A unix' if 'unix' in name else 'limit A'
        used = row.median('redis')
        words += ([beside(limit, 'rate'), beside('Lua right way', 'rate'),
                   beside(limit, 'cpu'), '%.1f' % used,
                   '%.1f' % row.median('commands')] if used else [''] * 5)

    verdicts = [bar_word(bar, row, taken) for bar in bars]

    if row.refused:
        verdicts.append(verdict('refused ≤ 0', row.refused, 0))

    cells(*words, '; '.join(verdicts))


NAMES = {'rate': 'req/s', 'cpu': 'CPU', 'redis': 'Redis CPU'}


def bar_word(bar, row, taken):
    value = (row.ratio(taken[bar.beside], bar.what) if bar.beside
             else row.median(bar.what))

    return verdict('%s %s %s' % (NAMES[bar.what],
                                 '≥' if bar.what == 'rate' else '≤',
                                 '%.2f × %s' % (bar.value, bar.beside)
                                 if bar.beside else '%d us' % bar.value),
                   value, bar.value, bar.what == 'rate')


def verdict(text, value, bar, least=False):
    """a bar and whether it was reached; "least": the value is to be above"""

    ok = value >= bar if least else value <= bar
    reached.append(ok)
    return ('%s: %d %s' if isinstance(value, int) else '%s: %.2f %s') % (
        text, value, 'reached' if ok else '**missed**')


def end():
    if reached:
        print('\nBars reached: %d, missed: %d.'
              % (sum(reached), len(reached) - sum(reached)), flush=True)
