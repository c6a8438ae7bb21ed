"""Short lists of words that carry no topic, by language. They are left out of queries only, never out of the index."""

from collections.abc import Mapping
from typing import Final


def _list(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STOPWORDS: Final[Mapping[str, frozenset[str]]] = {
    "english": _list(
        "a an and are as at be been being but by can could did do does don't e.g eg etc for from had has have how i "
        "i.e ie if in into is it its let's me my of on or our should so such than that the their them then there these "
        "they this those to was we were what what's when where which who why will with would you your"
    ),
    "german": _list(
        "aber als am an auch auf aus bei das dass dem den der des die ein eine einem einen einer eines er es für hat "
        "ich ihr im in ist kann man mein mit nach oder sein sich sie sind so um und von vom war was wenn wer werden "
        "wie wir wird wo zu zum zur"
    ),
    "french": _list(
        "a au aux avec c ce ces cette comment d dans de des du elle en est et il ils j je l la le les leur m mais n ne "
        "nous on ou où par pas pour qu que quel quelle quels quelles qui quoi s sa se ses son sont sur t un une vous y"
    ),
    "spanish": _list(
        "a al como cómo con cual cuál cuando cuándo de del donde dónde e el ella en es esta este esto la las lo los "
        "más me mi no o para pero por que qué quien quién se ser si sin sobre son su sus un una unas unos y ya"
    ),
    "italian": _list(
        "a ai al alla alle che chi ci come con cosa d da dal dalla dei del della delle di dove e è ed gli ha i il in "
        "io l la le lo ma nel nella non o per perché quale quali quando se si sono su sul tra un una uno"
    ),
    "portuguese": _list(
        "a ao aos as como com da das de do dos e é em entre essa esse esta este eu mais mas na nas no nos o onde os ou "
        "para pela pelo por porque qual quais quando que quem se sem ser seu seus sua suas são um uma"
    ),
    "dutch": _list(
        "aan als bij dan dat de der deze die dit door een en er het hij hoe ik in is je kan kun maar met mijn naar "
        "niet of om op over te tot uit van voor waar waarom wanneer was wat we welke wie worden wordt ze zich zijn"
    ),
    "swedish": _list(
        "att av de den det du efter ej eller en ett för från har hur i jag kan man med men mot när och om på så som "
        "till under upp var vad varför vem vid vilka vilken vilket är"
    ),
    "danish": _list(
        "af at de den der det du eller en er et for fra har hvad hvem hvilke hvilken hvor hvordan hvorfor i jeg kan "
        "man med men mod når og om på sig som til under ved var"
    ),
    "norwegian": _list(
        "at av de den der det du eller en er et for fra ha har hva hvem hvilke hvilken hvor hvordan hvorfor i jeg kan "
        "man med men mot når og om på seg som til under ved var"
    ),
    "russian": _list(
        "а без бы в во вы где для до его ее её если есть еще ещё же за и из или их к как какие какой когда кто ли мне "
        "мы на над не него но о об он она они от по под почему при с со так также то у что чтобы это я"
    ),
}  # fmt: skip


def stopwords(language: str) -> frozenset[str]:
    """Return the language's stop words, case-folded, accents kept; empty where Tandem has no list."""
    return _STOPWORDS.get(language, frozenset())
