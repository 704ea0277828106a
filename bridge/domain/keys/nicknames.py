"""Given names that are used for one another: a line is a name with its short forms; a short form may stand in several lines."""

_LINES = """
abigail abby gail abbie
abraham abe bram
albert al bert albie
alexander alex al xander sandy alec lex sasha alejandro alexandre
alexandra alex sandra sandy lexi alexa ali sasha alejandra
alfred al fred alf freddie alfredo
alice ally
alison allison ali ally
amanda mandy
amelia amy millie
andrea andi drea
andrew andy drew andre andres
angela angie
angelina angie lina
anna ann anne annie nan nancy ana
anthony tony ant antonio
antoinette toni nettie
antonia toni
archibald archie
arthur art artie arturo
augustus gus august
barbara barb babs barbie
bartholomew bart
beatrice bea trixie
benjamin ben benny benji
bernadette bernie
bernard bernie barney
bethany beth
bradley brad
bradford brad
brandon bran
brenda bren
bridget bridie biddy
calvin cal
cameron cam
carol carrie caroline
caroline carol carrie lynn
carolyn carol lynn carrie
catherine cathy kathy cat kate katie cate kit kitty katherine kathryn catharine katharine kat kathleen catalina
cecilia cece celia
charles charlie chuck chas chip charley carlos
charlotte charlie lottie char
chester chet
christina chris tina chrissy christine kristina christy
christine chris tina chrissy christy kristine
christopher chris topher kit kris cristobal
clarence clare
clifford cliff
clifton cliff
clinton clint
constance connie
cornelius neil con
cynthia cindy
daniel dan danny
danielle dani
darlene dar
david dave davey davy
deborah deb debbie debby debra
debra deb debbie debby
delbert del bert
dennis denny
derek rick derrick
dolores lola
dominic dom nick dominick
donald don donny donnie
donna don
dorothy dot dottie dolly
douglas doug
dwayne wayne
edmund ed eddie ned
edward ed eddie ted ned teddy eduardo
edwin ed eddie
eileen
eleanor ellie nell nora elle lenora
elijah eli
elizabeth liz beth betty betsy lizzie eliza libby bess elisabeth lisa lizbeth ellie isabel
emily em emmy
emma em
ernest ernie ernesto
esther essie
eugene gene
evelyn eve evie
ezekiel zeke
florence flo
frances fran francie frankie
francis frank fran frankie
francisco frank paco pancho cisco
franklin frank
frederick fred freddy rick fritz freddie fredrick
gabriel gabe
gabrielle gabby gabi
gary garry
genevieve gen gene
geoffrey geoff jeff
george georgie jorge
gerald gerry jerry
geraldine gerry
gertrude trudy gertie
gilbert gil bert
gordon gordy
grace gracie
gregory greg gregg
guadalupe lupe
guillermo memo bill william
gustavo gus
gwendolyn gwen
harold harry hal
harriet hattie
harrison harry
helen nell nellie
henry hank harry enrique
herbert herb bert
howard howie
hubert bert
ignacio nacho
irene rene
isaac ike
isabel bella izzy isabella belle isabelle
isabella bella izzy isabel
jackson jack
jacob jake jay jakob
jacqueline jackie
james jim jimmy jamie jaime
janet jan
janice jan
jason jay
jean jeanne jeannie
jeffrey jeff geoff jeffery
jennifer jen jenny jenn
jeremiah jerry jeremy
jeremy jerry jem
jerome jerry
jessica jess jessie
jesus chuy
joan joanie joann
joanna jo joann
john jack johnny jon juan jonny johnathan ian
jonathan jon jonny john nathan johnathan
joseph joe joey jose
jose pepe joe joseph
josephine jo josie
joshua josh
joyce
judith judy judi
julia julie jules
julian jules
julie jules
katherine kathy kate katie kat kay catherine kathryn kit
kathleen kathy kate katie
kelly kel
kenneth ken kenny
kevin kev
kimberly kim kimmy kimberley
kristen kris kristin
lauren laurie
laura laurie lori
lawrence larry laurence lars lorenzo
leonard len leo lenny
leo leon
leroy roy
leslie les
lewis lou louis
lillian lily lil lilly
linda lindy lynn
lindsay lindsey
lloyd
loretta lori retta
lorraine lori lorrie rainey
louis lou louie luis
louise lou
lucille lucy
lucas luke
lynn lynne lyn
mackenzie mac kenzie
madeline maddie madeleine
marcus mark marc
margaret maggie meg peggy marge margie greta rita peg margo madge
maria mary marie
marilyn mary
marjorie marge margie
martha marty patty
martin marty
marvin marv
mary molly polly mamie maria marie
matthew matt matty mateo
maureen mo
maxwell max
maximilian max
melanie mel
melissa mel missy lissa
melvin mel
michael mike mick mickey micah miguel mikey
michelle shelly shelley micki
mildred millie
mitchell mitch
mohammed mohammad muhammad mohamed mo
monica mona
montgomery monty
morris mo
nancy nan
natalie nat
natasha tasha
nathan nate nat
nathaniel nate nat nathan
nicholas nick nicky nicolas
nicole nikki nicki
norman norm
oliver ollie
olivia liv
oscar
pamela pam
patricia pat patty tricia trish patsy
patrick pat paddy rick
paul pablo
paula polly
pauline
penelope penny
peter pete pedro
philip phil phillip
priscilla cilla prissy
rachel rae
ralph rafe
randall randy
randolph randy
raymond ray
rebecca becky becca
regina gina reggie
reginald reg reggie
rene
richard rick dick rich ricky richie rickey ricardo
robert bob rob bobby robbie bert robby roberto
roberta bobbie
roderick rod rick
rodney rod
roger rog
roland rollie
ronald ron ronnie
rosalind roz
rosemary rose rosie
rosa rose rosie
roxanne roxy
rudolph rudy rudolf
russell russ rusty
ruth ruthie
salvatore sal
samantha sam sammy
samuel sam sammy
sandra sandy
sarah sally sadie sara
scott scotty
sebastian seb bas
sharon shari
sheila
shirley shirl
sidney sid sydney
solomon sol
sophia sophie
stanley stan
stephanie steph stevie
stephen steve stevie steven stephan esteban
steven steve stevie stephen
stuart stu stewart
susan sue susie suzy suzanne
suzanne sue susie suzy susan
sylvia syl
tabitha tabby
tamara tammy
teresa terry tess tessa theresa terri tracy
terence terry terrance terrence
theodore ted teddy theo
theresa terry tess tessa teresa terri
thomas tom tommy tomas
tiffany tiff
timothy tim timmy
tobias toby
valerie val
vanessa nessa
veronica ronnie ronni
victor vic
victoria vicky tori vicki
vincent vince vinny vin
viola vi
virginia ginny ginger
vivian viv
wallace wally
walter walt wally
warren
wesley wes
wilbur will
wilfred will fred
william bill billy will willy willie liam wm
wilson will
winifred winnie
winston win
yvonne vonnie
zachary zach zack zak
"""


def _read() -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """Return for each name the lines it stands in, and the name all of its forms are filed under."""
    lines: dict[str, set[str]] = {}
    for line in _LINES.split("\n"):
        forms = line.split()
        for form in forms:
            lines.setdefault(form, set()).add(forms[0])
    return (
        {name: frozenset(heads) for name, heads in lines.items()},
        {name: name if name in heads else min(heads) for name, heads in lines.items()},
    )


_HEADS, _FILED = _read()


def filed_under(given: str) -> str:
    """Return the name under which all forms of a given name are looked up; an unknown one stands for itself."""
    return _FILED.get(given, given)


def are_forms_of_one(left: str, right: str) -> bool:
    """Tell whether two folded given names are used for one another (Bill, William); equal names are not asked about."""
    heads = _HEADS.get(left)
    return heads is not None and not heads.isdisjoint(_HEADS.get(right, ()))
